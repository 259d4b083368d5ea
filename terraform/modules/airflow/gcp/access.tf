# The service account that Airflow and jobs of execution bash run as, and who may deploy.

locals {
  # A service account's id has at most 30 letters; a long name keeps its begin and gets a digest.
  account_id = length(var.name) <= 22 ? "${var.name}-airflow" : "${trimsuffix(substr(var.name, 0, 15), "-")}-${substr(sha256(var.name), 0, 6)}-airflow"
  # Written out, not taken from the resource: so other modules can count on it before the account is there.
  email  = "${local.account_id}@${var.project_id}.iam.gserviceaccount.com"
  member = "serviceAccount:${local.email}"

  store_bucket = startswith(var.store_uri, "gs://") ? split("/", trimprefix(var.store_uri, "gs://"))[0] : null
}

resource "google_service_account" "airflow" {
  project      = var.project_id
  account_id   = local.account_id
  display_name = "Airflow of ${var.name}"
  description  = "Runs Airflow and its jobs in ${var.environment}."
}

# What Composer asks for. The role reads and writes the objects of all buckets of the project, those of the store
# included: there it would replace releases, so it does not hold there, and what jobs may do there the store says.
resource "google_project_iam_member" "worker" {
  #checkov:skip=CKV_GCP_49:Composer takes no narrower role; the account may act as itself alone
  project = var.project_id
  role    = "roles/composer.worker"
  member  = local.member

  dynamic "condition" {
    for_each = local.store_bucket == null ? [] : [local.store_bucket]

    content {
      title       = "but not in the store"
      description = "Releases are written once; the store's own policy says who may."
      expression  = "resource.name != \"projects/_/buckets/${condition.value}\" && !resource.name.startsWith(\"projects/_/buckets/${condition.value}/\")"
    }
  }

  depends_on = [google_service_account.airflow]
}

# Packages are built as this account, by this account.
resource "google_service_account_iam_member" "itself" {
  service_account_id = google_service_account.airflow.name
  role               = "roles/iam.serviceAccountUser"
  member             = local.member
}

# Deployments lie in dags/mlops/, and `--with-dags` puts DAG files beside it.
resource "google_storage_bucket_iam_member" "deployer" {
  for_each = { for number, member in var.deployers : tostring(number) => member }

  bucket = local.bucket
  role   = "roles/storage.objectUser"
  member = each.value

  condition {
    title       = "deploy"
    description = "The DAG folder, and listing what is there."
    expression  = "resource.name == \"projects/_/buckets/${local.bucket}\" || resource.name.startsWith(\"projects/_/buckets/${local.bucket}/objects/dags/\")"
  }

  depends_on = [google_storage_bucket.dags]
}

# Airflow's API. Within Airflow a new caller gets the role Op, which may start runs and change no connection.
resource "google_project_iam_member" "deployer" {
  for_each = { for number, member in var.deployers : tostring(number) => member }

  project = var.project_id
  role    = "roles/composer.user"
  member  = each.value
}

data "google_project" "this" {
  count = var.encryption_key == null ? 0 : 1

  project_id = var.project_id
}

# Composer encrypts its database as an account of its own.
resource "google_kms_crypto_key_iam_member" "composer" {
  count = var.encryption_key == null ? 0 : 1

  crypto_key_id = var.encryption_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.this[0].number}@cloudcomposer-accounts.iam.gserviceaccount.com"
}
