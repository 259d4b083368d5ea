# Who may do what, as one policy. Conditions are on objects' names; listing is asked for on the bucket, and without it a
# missing object cannot be told from a forbidden one.

locals {
  objects = "projects/_/buckets/${var.bucket_name}/objects/${local.folder}"
  inside  = "resource.name.startsWith(\"${local.objects}\")"
  # extract() is empty where the pattern does not occur.
  pointer = "${local.inside} && resource.name.endsWith(\"/current.json\") && resource.name.extract(\"/environments/{environment}/current.json\") != \"\""

  administrators = length(var.administrators) > 0 ? var.administrators : ["projectOwner:${var.project_id}"]

  bindings = concat(
    [
      {
        role      = "roles/storage.admin"
        members   = sort(distinct(local.administrators))
        condition = null
      },
    ],
    length(concat(var.writers, var.readers)) == 0 ? [] : [
      {
        role      = "roles/storage.objectViewer"
        members   = sort(distinct(concat(var.writers, var.readers)))
        condition = null
      },
    ],
    length(var.writers) == 0 ? [] : [
      {
        role    = "roles/storage.objectCreator"
        members = sort(distinct(var.writers))
        condition = {
          title       = "create in the store"
          description = "Creating never replaces: that would need storage.objects.delete."
          expression  = local.inside
        }
      },
      {
        role    = "roles/storage.objectUser"
        members = sort(distinct(var.writers))
        condition = {
          title       = "move the pointer"
          description = "environments/<environment>/current.json says which release is in force."
          expression  = local.pointer
        }
      },
    ],
  )
}

resource "google_storage_bucket_iam_policy" "this" {
  # Of a bucket of states, grants are made beside it.
  count = var.state_like ? 0 : 1

  bucket = google_storage_bucket.this.name
  # As google_iam_policy would write it: what has no condition has no such key.
  policy_data = jsonencode({
    bindings = [
      for binding in local.bindings : merge(
        { role = binding.role, members = binding.members },
        binding.condition == null ? {} : { condition = binding.condition },
      )
    ]
  })
}
