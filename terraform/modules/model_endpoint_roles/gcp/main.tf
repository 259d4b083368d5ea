# Who may do what with data and endpoint. Two kinds of identity: the service account that Vertex AI starts the model
# server with (`deployer.service_account`: load the package, write captures, logs and metrics), and those that run the
# jobs (Airflow's service account): read and write what the configuration names, publish packages, deploy. Training and
# batches run where Airflow runs them, so the model's account reads no training data. Each key of the configuration is a
# grant of its own on its bucket, under that key's prefix, so that a plan shows which key a change comes from. Listing a
# bucket shows the names of all its objects: Cloud Storage asks for it on the bucket, and without it a missing object
# cannot be told from a forbidden one. Buckets need uniform bucket-level access.

locals {
  # A service account's id has at most 30 letters; a long name keeps its begin and gets a digest.
  account_id = length(var.name) <= 24 ? "${var.name}-model" : "${trimsuffix(substr(var.name, 0, 17), "-")}-${substr(sha256(var.name), 0, 6)}-model"
  # Written out, not taken from the resource: so a plan shows who is meant before the account is there.
  email  = "${local.account_id}@${var.project_id}.iam.gserviceaccount.com"
  member = "serviceAccount:${local.email}"

  reads  = { for key, uri in var.reads : key => uri if startswith(uri, "gs://") }
  writes = { for key, uri in var.writes : key => uri if startswith(uri, "gs://") }

  places = {
    for uri in distinct(concat(values(local.reads), values(local.writes), var.packages_uri[*])) : uri => {
      bucket = split("/", trimprefix(uri, "gs://"))[0]
      # A wildcard stands for anything that follows, so the prefix ends before it.
      prefix = regex("^gs://[^/]+/?([^*?\\[]*)", uri)[0]
      whole  = can(regex("[*?\\[]|/$|^gs://[^/]+$", uri))
    }
  }
  # trips/ is a prefix as it stands; trips is a file, or a folder whose neighbour trips-private is not meant.
  conditions = {
    for uri, place in local.places : uri => join(" || ", concat(
      ["resource.name == \"projects/_/buckets/${place.bucket}\""],
      place.whole ? [] : ["resource.name == \"projects/_/buckets/${place.bucket}/objects/${place.prefix}\""],
      ["resource.name.startsWith(\"projects/_/buckets/${place.bucket}/objects/${place.prefix}${place.whole ? "" : "/"}\")"],
    ))
  }

  members = merge(var.job_runners, { model = local.member })
  users   = merge(var.deployers, var.job_runners)

  packages = var.packages_uri == null ? {} : { packages = var.packages_uri }
  captures = { for key, uri in local.writes : key => uri if key == var.captures }

  read_grants = merge(
    { for key, uri in local.packages : "model ${key}" => { member = local.members.model, key = key, uri = uri } },
    [for who, member in var.job_runners : {
      for key, uri in merge(local.reads, local.packages) : "${who} ${key}" => { member = member, key = key, uri = uri }
    }]...
  )
  write_grants = merge(
    { for key, uri in local.captures : "model ${key}" => { member = local.members.model, key = key, uri = uri } },
    [for who, member in var.job_runners : {
      for key, uri in local.writes : "${who} ${key}" => { member = member, key = key, uri = uri }
    }]...
  )

  repository         = var.image_repository == null ? null : split("/", var.image_repository)
  repository_members = local.repository == null ? {} : local.members
  foreign_repository = local.repository == null ? false : local.repository[1] != var.project_id
}

resource "google_service_account" "model" {
  project      = var.project_id
  account_id   = local.account_id
  display_name = "Models of ${var.name}"
  description = substr(join(" ", compact([
    "Serves on Vertex AI in ${var.environment}${var.endpoint == null ? "" : " as ${var.endpoint}"}.",
    join(" ", [for key, value in var.labels : "${key}=${value}"]),
  ])), 0, 256)
}

resource "google_storage_bucket_iam_member" "read" {
  for_each = local.read_grants

  bucket = local.places[each.value.uri].bucket
  role   = "roles/storage.objectViewer"
  member = each.value.member

  condition {
    title       = substr("read ${each.value.key}", 0, 100)
    description = "The configuration's ${each.value.key} is read there."
    expression  = local.conditions[each.value.uri]
  }

  depends_on = [google_service_account.model]
}

resource "google_storage_bucket_iam_member" "write" {
  for_each = local.write_grants

  bucket = local.places[each.value.uri].bucket
  # Not objectCreator: a file is written under another name and moved when it is whole, and a run that is tried again
  # replaces its own output.
  role   = "roles/storage.objectUser"
  member = each.value.member

  condition {
    title       = substr("write ${each.value.key}", 0, 100)
    description = "The configuration's ${each.value.key} is written there."
    expression  = local.conditions[each.value.uri]
  }

  depends_on = [google_service_account.model]
}

resource "google_storage_bucket_iam_member" "publish" {
  for_each = var.packages_uri == null ? {} : var.job_runners

  bucket = local.places[var.packages_uri].bucket
  # Creates, and never replaces: a package lies under the digest of its content.
  role   = "roles/storage.objectCreator"
  member = each.value

  condition {
    title       = "publish model packages"
    description = "Packages are put there before Vertex AI loads them."
    expression  = local.conditions[var.packages_uri]
  }
}

resource "google_project_iam_member" "model" {
  # What a job or server says of itself. Both let it write and neither lets it read.
  for_each = toset(["roles/logging.logWriter", "roles/monitoring.metricWriter"])

  project = var.project_id
  role    = each.value
  member  = local.member

  depends_on = [google_service_account.model]
}

resource "google_project_iam_member" "deploy" {
  # Upload models, make endpoints, move traffic: src/mlops_config/deploy/gcp. Vertex AI has no narrower predefined role for
  # it, and takes no condition on a resource's name.
  for_each = local.users

  project = var.project_id
  role    = "roles/aiplatform.user"
  member  = each.value
}

resource "google_service_account_iam_member" "act_as" {
  for_each = local.users

  service_account_id = google_service_account.model.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

resource "google_artifact_registry_repository_iam_member" "pull" {
  for_each = local.repository_members

  project    = local.repository[1]
  location   = local.repository[3]
  repository = local.repository[5]
  role       = "roles/artifactregistry.reader"
  member     = each.value

  depends_on = [google_service_account.model]
}

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  vertex_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-aiplatform.iam.gserviceaccount.com"
}

# Vertex AI pulls images as its own service agent, which reads the repositories of its own project anyway.
resource "google_artifact_registry_repository_iam_member" "vertex_pull" {
  count = local.foreign_repository ? 1 : 0

  project    = local.repository[1]
  location   = local.repository[3]
  repository = local.repository[5]
  role       = "roles/artifactregistry.reader"
  member     = local.vertex_agent
}

resource "google_kms_crypto_key_iam_member" "vertex" {
  for_each = { for index, key in var.encryption_keys : tostring(index) => key }

  crypto_key_id = each.value
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.vertex_agent
}
