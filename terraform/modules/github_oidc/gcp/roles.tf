# What the accounts may do in the project: what applying the module environment takes, and no more. Three roles of our own,
# since the predefined ones bring the right to read what is stored, or to give rights away.

locals {
  role_prefix = replace(var.name, "-", "_")

  reading = [
    "artifactregistry.repositories.downloadArtifacts", # is the release's image still there?
    "artifactregistry.repositories.get",
    "artifactregistry.repositories.getIamPolicy",
    "cloudkms.cryptoKeyVersions.get",
    "cloudkms.cryptoKeyVersions.list",
    "cloudkms.cryptoKeys.get",
    "cloudkms.cryptoKeys.getIamPolicy",
    "cloudkms.keyRings.get",
    "composer.environments.get",
    "composer.operations.get",
    "compute.firewalls.get",
    "compute.globalOperations.get",
    "compute.networks.get",
    "compute.regionOperations.get",
    "compute.routers.get",
    "compute.subnetworks.get",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "monitoring.alertPolicies.get",
    "monitoring.notificationChannels.get",
    "pubsub.topics.getIamPolicy",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.versions.get",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
  ]
  changing = [
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.setIamPolicy",
    "artifactregistry.repositories.update",
    "cloudkms.cryptoKeys.create",
    "cloudkms.cryptoKeys.update",
    "cloudkms.keyRings.create",
    "composer.environments.create",
    "composer.environments.update",
    "compute.firewalls.create",
    "compute.firewalls.update",
    "compute.networks.create",
    "compute.networks.update",
    "compute.networks.updatePolicy",
    "compute.networks.use",
    "compute.routers.create",
    "compute.routers.update",
    "compute.subnetworks.create",
    "compute.subnetworks.expandIpCidrRange",
    "compute.subnetworks.setPrivateIpGoogleAccess",
    "compute.subnetworks.update",
    "compute.subnetworks.use",
    "iam.serviceAccounts.actAs", # Composer starts as a service account
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.setIamPolicy",
    "iam.serviceAccounts.update",
    "monitoring.alertPolicies.create",
    "monitoring.alertPolicies.update",
    "monitoring.notificationChannels.create",
    "monitoring.notificationChannels.update",
    "pubsub.topics.setIamPolicy", # Cloud Monitoring publishes alerts
    "secretmanager.secrets.create",
    "secretmanager.secrets.setIamPolicy",
    "secretmanager.secrets.update",
    "secretmanager.versions.add",
    "secretmanager.versions.enable",
    "storage.buckets.create",
  ]
  # No keys and no buckets: what they hold cannot be made again, so people do that.
  removing = [
    "artifactregistry.repositories.delete",
    "composer.environments.delete",
    "compute.firewalls.delete",
    "compute.networks.delete",
    "compute.routers.delete",
    "compute.subnetworks.delete",
    "iam.serviceAccounts.delete",
    "monitoring.alertPolicies.delete",
    "monitoring.notificationChannels.delete",
    "secretmanager.secrets.delete",
    "secretmanager.versions.destroy",
    "secretmanager.versions.disable",
  ]

  roles = {
    Read   = { permissions = local.reading, title = "reads what Terraform made", kinds = ["plan", "deploy", "rollback"] }
    Change = { permissions = local.changing, title = "creates and changes", kinds = ["deploy", "rollback"] }
    Remove = { permissions = local.removing, title = "removes", kinds = ["deploy"] }
  }
  role_grants = merge([
    for role, each in local.roles : {
      for name, account in local.accounts : "${name} ${role}" => { account = name, role = role } if contains(each.kinds, account.kind)
    }
  ]...)
  appliers = { for name, account in local.accounts : name => account if contains(["deploy", "rollback"], account.kind) }
  readers  = { for name, account in local.accounts : name => account if account.kind != "publish" }

  own_bucket = join(" || ", [for prefix in var.bucket_prefixes : "resource.name.startsWith(\"projects/_/buckets/${prefix}\")"])
  # As the module airflow names the two: airflow-<name>-connections-…. What people put values into begins with mlops-.
  secret = "resource.name.extract(\"/secrets/{name}/\")"
  told = { for name in keys(var.environments) : name => [
    "-connections-mlops_${replace(name, "-", "_")}", "-variables-mlops_${replace(name, "-", "_")}_release",
  ] }
  own_connection = { for name, each in var.environments : name => (
    each.secrets_prefix != null
    ? join(" || ", [for end in local.told[name] : "${local.secret} == \"${each.secrets_prefix}${end}\""])
    : "${local.secret}.startsWith(\"airflow-${var.name}-\") && (${join(" || ", [for end in local.told[name] : "${local.secret}.endsWith(\"${end}\")"])})"
  ) }
  # Composer's bucket, which the module airflow names so: DAG files are objects that Terraform keeps.
  dag_bucket = join(" || ", flatten([for prefix in var.bucket_prefixes : [
    "resource.name.startsWith(\"projects/_/buckets/${prefix}\") && resource.name.extract(\"/buckets/{bucket}/objects/\").endsWith(\"-airflow\")",
    "resource.type == \"storage.googleapis.com/Bucket\" && resource.name.startsWith(\"projects/_/buckets/${prefix}\") && resource.name.endsWith(\"-airflow\")",
  ]]))
}

resource "google_project_iam_custom_role" "this" {
  for_each = local.roles

  project     = var.project_id
  role_id     = "${local.role_prefix}${each.key}"
  title       = "${var.name}: ${each.value.title}"
  description = "What GitHub's workflows need to apply the environments of ${var.name}."
  permissions = each.value.permissions
}

resource "google_project_iam_member" "role" {
  for_each = local.role_grants

  project = var.project_id
  role    = google_project_iam_custom_role.this[each.value.role].name
  member  = local.members[each.value.account]

  depends_on = [google_service_account.this]
}

resource "google_project_iam_custom_role" "buckets" {
  project     = var.project_id
  role_id     = "${local.role_prefix}Buckets"
  title       = "${var.name}: changes its buckets"
  description = "Settings and policies of buckets; no objects."
  permissions = ["storage.buckets.setIamPolicy", "storage.buckets.update"]
}

resource "google_project_iam_member" "buckets" {
  for_each = local.appliers

  project = var.project_id
  role    = google_project_iam_custom_role.buckets.name
  member  = local.members[each.key]

  condition {
    title       = "buckets of ${var.name}"
    description = "No bucket that something else made."
    expression  = local.own_bucket
  }

  depends_on = [google_service_account.this]
}

# Who runs the jobs is let in to what the files name, bucket by bucket, and so by whoever applies.
resource "google_project_iam_custom_role" "data" {
  count = length(var.data_buckets) > 0 ? 1 : 0

  project     = var.project_id
  role_id     = "${local.role_prefix}Data"
  title       = "${var.name}: lets jobs in to data"
  description = "Policies of buckets that hold data; no settings, no objects."
  permissions = ["storage.buckets.setIamPolicy"]
}

resource "google_project_iam_member" "data" {
  for_each = length(var.data_buckets) > 0 ? local.appliers : {}

  project = var.project_id
  role    = google_project_iam_custom_role.data[0].name
  member  = local.members[each.key]

  condition {
    title       = "data of ${var.name}"
    description = "The buckets that the files name."
    expression  = join(" || ", [for bucket in var.data_buckets : "resource.name == \"projects/_/buckets/${bucket}\""])
  }

  depends_on = [google_service_account.this]
}

# Rights in the project can be given and taken away, of these roles only: nobody becomes an owner by applying.
# https://cloud.google.com/iam/docs/setting-limits-on-granting-roles
resource "google_project_iam_member" "grants" {
  for_each = local.appliers

  project = var.project_id
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = local.members[each.key]

  condition {
    title       = "roles that the modules grant"
    description = "Other roles can be neither given nor taken away."
    expression  = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in var.grantable_roles : "'${role}'"])}])"
  }

  depends_on = [google_service_account.this]
}

resource "google_project_iam_custom_role" "keys" {
  project     = var.project_id
  role_id     = "${local.role_prefix}Keys"
  title       = "${var.name}: lets Google's services use its keys"
  permissions = ["cloudkms.cryptoKeys.setIamPolicy"]
}

resource "google_project_iam_member" "keys" {
  for_each = local.appliers

  project = var.project_id
  role    = google_project_iam_custom_role.keys.name
  member  = local.members[each.key]

  condition {
    title       = "encrypt and decrypt"
    description = "Keys may be used by others, and not be administered."
    expression  = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/cloudkms.cryptoKeyEncrypterDecrypter'])"
  }

  depends_on = [google_service_account.this]
}

# Terraform compares what Airflow is told with what is there, and Secret Manager shows that to those alone who may read
# it. Secrets of jobs have other names and stay closed.
resource "google_project_iam_member" "connections" {
  for_each = local.readers

  project = var.project_id
  role    = "roles/secretmanager.secretAccessor"
  member  = local.members[each.key]

  condition {
    title       = "what Airflow is told"
    description = "The environment's Connection and its release, which hold no secret."
    expression  = local.own_connection[each.value.environment]
  }

  depends_on = [google_service_account.this]
}

# A release that is gone back to is a version that follows, after which the one before goes: no version can be changed.
resource "google_project_iam_custom_role" "versions" {
  project     = var.project_id
  role_id     = "${local.role_prefix}Versions"
  title       = "${var.name}: replaces what Airflow is told"
  permissions = ["secretmanager.versions.destroy", "secretmanager.versions.disable"]
}

resource "google_project_iam_member" "versions" {
  for_each = { for name, account in local.accounts : name => account if account.kind == "rollback" }

  project = var.project_id
  role    = google_project_iam_custom_role.versions.name
  member  = local.members[each.key]

  condition {
    title       = "what Airflow is told"
    description = "The environment's Connection and its release, which an apply writes again."
    expression  = local.own_connection[each.value.environment]
  }

  depends_on = [google_service_account.this]
}

resource "google_project_iam_member" "dags" {
  for_each = local.readers

  project = var.project_id
  role    = each.value.kind == "plan" ? "roles/storage.objectViewer" : "roles/storage.objectUser"
  member  = local.members[each.key]

  condition {
    title       = "DAG files"
    description = "Airflow's buckets of ${var.name}, and no releases, states or data."
    expression  = local.dag_bucket
  }

  depends_on = [google_service_account.this]
}
