mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = { name = "projects/acme-ml-prod/serviceAccounts/city-taxi-prod-airflow@acme-ml-prod.iam.gserviceaccount.com" }
  }
  mock_resource "google_secret_manager_secret" {
    defaults = { id = "projects/acme-ml-prod/secrets/s" }
  }
  mock_data "google_project" {
    defaults = { number = "111122223333" }
  }
}

variables {
  name           = "city-taxi-prod"
  environment    = "prod-eu"
  labels         = { team = "fares" }
  project_id     = "acme-ml-prod"
  region         = "europe-west4"
  config_path    = "configs/prod-eu/"
  config_digest  = "sha256:9343793ab00b1af77edae54c0faa2a881aac8091bdf1447a4ec7a1438dbd3d9a"
  release        = "1.2.0"
  commit         = "5f8d3a0c9b7e6d4f2a1b0c8d7e6f5a4b3c2d1e0f"
  image          = "europe-west4-docker.pkg.dev/acme-ml-prod/city-taxi-prod/city-taxi-prod@sha256:9343793ab00b1af77edae54c0faa2a881aac8091bdf1447a4ec7a1438dbd3d9a"
  network        = "projects/acme-ml-prod/global/networks/ml"
  subnetwork     = "projects/acme-ml-prod/regions/europe-west4/subnetworks/ml"
  store_uri      = "gs://acme-ml-prod-configs/configs"
  variables      = { MLFLOW_TRACKING_URI = "https://mlflow.acme.example", GOOGLE_APPLICATION_CREDENTIALS = "/etc/wif.json" }
  secrets        = ["chat-fares", "pager/fares"]
  secrets_prefix = "airflow-city-taxi-prod"
  jobs           = { requirements = "tests/hashed.txt" }
  deployers      = ["serviceAccount:deploy@acme-ml-prod.iam.gserviceaccount.com"]
}

run "runs_an_airflow_that_reads_deployments" {
  assert {
    condition     = google_composer_environment.this.config[0].software_config[0].image_version == "composer-3-airflow-3.1.7" && google_composer_environment.this.config[0].environment_size == "ENVIRONMENT_SIZE_SMALL"
    error_message = "It is Composer 3 with an Airflow that the DAGs are made for."
  }
  assert {
    condition     = google_composer_environment.this.config[0].enable_private_environment && one(google_composer_environment.this.config[0].node_config).subnetwork == var.subnetwork
    error_message = "It has no addresses on the internet, and the network that is given."
  }
  assert {
    condition     = google_composer_environment.this.config[0].software_config[0].pypi_packages == tomap({ mlops-config-action = "[airflow,airflow-kubernetes,gcp,gcs]==1.0.0" })
    error_message = "Airflow gets this package with what its DAGs need, and not what jobs need."
  }
  assert {
    condition = (
      toset([for object in google_storage_bucket_object.dag : object.name]) == toset([
        "dags/.airflowignore", "dags/deployments_dag.py", "dags/inference_dag.py", "dags/monitoring_dag.py", "dags/retraining_dag.py", "dags/training_dag.py",
      ])
      && toset([for object in google_storage_bucket_object.job : object.name]) == toset([
        "data/mlops/inference_main.py", "data/mlops/monitoring_main.py", "data/mlops/retraining_main.py", "data/mlops/training_main.py",
        "data/mlops/sitecustomize.py", local.jobs_object,
      ])
    )
    error_message = "The DAG files are there, and nothing below dags/mlops/ is Terraform's."
  }
  assert {
    condition     = google_composer_environment.this.storage_config[0].bucket == "acme-ml-prod-city-taxi-prod-airflow" && output.dags_folder == "gs://acme-ml-prod-city-taxi-prod-airflow/dags" && output.url == google_composer_environment.this.config[0].airflow_uri
    error_message = "The outputs are what `mlops-config deploy` takes."
  }
  assert {
    condition = (
      google_composer_environment.this.config[0].recovery_config[0].scheduled_snapshots_config[0].enabled
      && google_composer_environment.this.config[0].recovery_config[0].scheduled_snapshots_config[0].snapshot_location == "gs://acme-ml-prod-city-taxi-prod-airflow/snapshots"
      && google_composer_environment.this.config[0].maintenance_window[0].recurrence == "FREQ=WEEKLY;BYDAY=SA,SU"
    )
    error_message = "It can be made again from yesterday's snapshot, and restarts at weekends."
  }
  assert {
    condition = (
      google_storage_bucket.dags[0].uniform_bucket_level_access && google_storage_bucket.dags[0].public_access_prevention == "enforced"
      && google_storage_bucket.dags[0].versioning[0].enabled && length(google_storage_bucket.dags[0].encryption) == 0
      && length(google_composer_environment.this.config[0].encryption_config) == 0 && length(google_storage_bucket.dags[0].retention_policy) == 0
    )
    error_message = "Its bucket is private and such as Composer takes."
  }

  # Asks for no more than Composer has.
  # https://docs.cloud.google.com/composer/docs/composer-3/scale-environments
  assert {
    condition = alltrue([for size in values(local.sizes) : (
      size.scheduler.cpu <= 1 && size.scheduler.count <= 3 && size.scheduler.memory_gb <= 8 * size.scheduler.cpu
      && size.triggerer.cpu <= 1 && size.triggerer.count <= 10 && size.triggerer.memory_gb <= 8 * size.triggerer.cpu
      && size.web_server.cpu >= 1 && size.web_server.cpu <= 4 && size.web_server.memory_gb >= 2 && size.web_server.memory_gb <= 8 * size.web_server.cpu
      && size.dag_processor.count <= 3 && size.dag_processor.cpu <= 32 && size.dag_processor.memory_gb <= 8 * size.dag_processor.cpu
    )])
    error_message = "A size has more of something than Composer 3 gives one component: ${jsonencode(local.sizes)}."
  }

  # Keeps Airflow out of the store.
  assert {
    condition = (
      google_project_iam_member.worker.role == "roles/composer.worker"
      && google_project_iam_member.worker.condition[0].expression == "resource.name != \"projects/_/buckets/acme-ml-prod-configs\" && !resource.name.startsWith(\"projects/_/buckets/acme-ml-prod-configs/\")"
    )
    error_message = "Composer's role replaces objects in every bucket of the project but the store's."
  }
  assert {
    condition     = google_storage_bucket_iam_member.deployer["0"].role == "roles/storage.objectUser" && strcontains(google_storage_bucket_iam_member.deployer["0"].condition[0].expression, "/objects/dags/\")") && google_project_iam_member.deployer["0"].role == "roles/composer.user"
    error_message = "Who deploys writes into the DAG folder and uses the API."
  }
  assert {
    condition     = length(terraform_data.deploy) == 0 && length(google_kms_crypto_key_iam_member.composer) == 0
    error_message = "Nothing is deployed by an apply unless that is asked for."
  }
}

run "tells_airflow_where_jobs_run_and_what_is_released" {
  assert {
    condition     = google_secret_manager_secret.connection.secret_id == "airflow-city-taxi-prod-connections-mlops_prod_eu" && output.connection == "mlops_prod_eu"
    error_message = "The Connection has the name that tasks ask for."
  }
  assert {
    condition = jsondecode(google_secret_manager_secret_version.connection.secret_data).extra == {
      environment = "prod-eu"
      variables = {
        MLOPS_STORE                    = "gs://acme-ml-prod-configs/configs"
        MLFLOW_TRACKING_URI            = "https://mlflow.acme.example"
        GOOGLE_APPLICATION_CREDENTIALS = "/etc/wif.json"
        PYTHONPATH                     = "/home/airflow/gcs/data/mlops"
        MLOPS_JOBS                     = jsonencode({ requirements = "/home/airflow/gcs/${local.jobs_object}", package = "mlops-config-action==1.0.0" })
        MLOPS_LOOKED_UP = jsonencode({
          MLOPS_SECRET_CHAT_FARES  = "projects/acme-ml-prod/secrets/mlops-city-taxi-prod-chat-fares"
          MLOPS_SECRET_PAGER_FARES = "projects/acme-ml-prod/secrets/mlops-city-taxi-prod-pager_fares"
        })
      }
      python      = "python3"
      entrypoints = "/home/airflow/gcs/data/mlops"
    }
    error_message = "The Connection's extra has known keys only, and only those that were given."
  }
  assert {
    condition = (
      google_secret_manager_secret.release.annotations["mlops-release"] == "1.2.0" && google_secret_manager_secret.release.secret_id == "airflow-city-taxi-prod-variables-mlops_prod_eu_release"
      && jsondecode(google_secret_manager_secret_version.release.secret_data) == {
        config_path = var.config_path, config_digest = var.config_digest, release = var.release, commit = var.commit, image = var.image
      }
    )
    error_message = "The Variable says which release it is."
  }
  assert {
    condition = (
      google_composer_environment.this.config[0].software_config[0].airflow_config_overrides["secrets-backend"] == "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend"
      && jsondecode(google_composer_environment.this.config[0].software_config[0].airflow_config_overrides["secrets-backend_kwargs"]) == {
        project_id = "acme-ml-prod", connections_prefix = "airflow-city-taxi-prod-connections", variables_prefix = "airflow-city-taxi-prod-variables", sep = "-"
      }
    )
    error_message = "Airflow looks for both where they are."
  }
  assert {
    condition     = google_composer_environment.this.config[0].software_config[0].env_variables == tomap({ MLOPS_ENVIRONMENT = "prod-eu", MLOPS_CONFIG_PATH = "configs/prod-eu/" })
    error_message = "Nothing that a release changes is a variable of the environment: that would restart Airflow."
  }
  assert {
    condition     = output.secrets == { "chat-fares" = "mlops-city-taxi-prod-chat-fares", "pager/fares" = "mlops-city-taxi-prod-pager_fares" }
    error_message = "Each secret of the configuration is an empty one to fill."
  }
  assert {
    condition = (
      length(google_secret_manager_secret_iam_member.read) == 4
      && alltrue([for each in google_secret_manager_secret_iam_member.read : each.role == "roles/secretmanager.secretAccessor" && each.member == "serviceAccount:city-taxi-prod-airflow@acme-ml-prod.iam.gserviceaccount.com"])
    )
    error_message = "Airflow reads its own secrets one by one, and no others."
  }
}

run "takes_what_exists" {
  variables {
    name               = "city-taxi-trip-fare-with-surge-and-tolls-prod"
    environment        = "dev"
    config_path        = "configs/dev/"
    requirements       = "tests/packages.txt"
    release            = null
    commit             = null
    image              = null
    source_bucket      = "acme-airflow"
    encryption_key     = "projects/acme-ml-prod/locations/europe-west4/keyRings/city-taxi/cryptoKeys/artifact-store"
    store_uri          = "s3://acme-ml/configs"
    environment_size   = "large"
    allowed_ip_ranges  = [{ value = "198.51.100.0/24" }]
    snapshot_schedule  = null
    maintenance_window = { start_time = "2026-01-02T22:00:00Z", end_time = "2026-01-03T02:00:00Z", recurrence = "FREQ=WEEKLY;BYDAY=FR,SA,SU" }
    jobs               = { kubernetes_secrets = ["fares"] }
    variables          = { MLOPS_SECRET_VERTEX = "model@acme-ml-prod.iam.gserviceaccount.com" }
    secrets            = ["vertex"]
    deployers          = []
  }
  assert {
    condition     = length(google_storage_bucket.dags) == 0 && output.dags_folder == "gs://acme-airflow/dags" && google_storage_bucket_object.dag["training_dag.py"].bucket == "acme-airflow"
    error_message = "A bucket that is given is used, and none is made."
  }
  assert {
    condition = (
      google_composer_environment.this.config[0].encryption_config[0].kms_key_name == var.encryption_key
      && google_kms_crypto_key_iam_member.composer[0].member == "serviceAccount:service-111122223333@cloudcomposer-accounts.iam.gserviceaccount.com"
    )
    error_message = "Airflow is encrypted with the key, which Composer may use."
  }
  assert {
    condition     = [for range in google_composer_environment.this.config[0].web_server_network_access_control[0].allowed_ip_range : range.value] == ["198.51.100.0/24"]
    error_message = "Pages are reached from where that is allowed."
  }
  assert {
    condition     = length(google_project_iam_member.worker.condition) == 0 && !google_composer_environment.this.config[0].recovery_config[0].scheduled_snapshots_config[0].enabled
    error_message = "A store on another cloud is not in reach, and snapshots may be left out."
  }
  assert {
    condition     = jsondecode(google_secret_manager_secret_version.connection.secret_data).extra.kubernetes_secrets == ["fares"] && jsondecode(google_secret_manager_secret_version.release.secret_data).image == null
    error_message = "What is given for Kubernetes is told, and what is not known is null."
  }
  assert {
    condition     = google_composer_environment.this.config[0].software_config[0].pypi_packages == tomap({ mlops-config-action = "[airflow,gcs]==1.0.0", pandas = ">=2.3, <3", pyarrow = "" })
    error_message = "Packages of a file are such as Composer takes."
  }
  assert {
    condition     = length(google_storage_bucket_object.job) == 0 && length(google_secret_manager_secret.filled_by_people) == 0
    error_message = "Without requirements there is no environment of jobs, and what variables say needs no secret."
  }
  assert {
    condition     = can(regex("^city-taxi-trip-[0-9a-f]{6}-airflow$", google_service_account.airflow.account_id)) && google_composer_environment.this.config[0].workloads_config[0].dag_processor[0].count == 2
    error_message = "A service account's id has at most 30 letters, and large has two DAG processors."
  }
}

run "deploys_after_an_apply_where_that_is_wanted" {
  command = plan
  variables {
    trigger = true
  }
  assert {
    condition     = terraform_data.deploy[0].triggers_replace == [var.release, var.config_digest, var.image]
    error_message = "A release deploys once."
  }
}

run "refuses_to_deploy_what_was_not_released" {
  command = plan
  variables {
    trigger = true
    release = null
  }
  expect_failures = [terraform_data.deploy]
}

run "refuses_more_workers_at_least_than_at_most" {
  command = plan
  variables {
    min_workers = 4
  }
  expect_failures = [google_composer_environment.this]
}

run "refuses_a_folder_without_the_dag_files" {
  command = plan
  variables {
    dag_source = "."
  }
  expect_failures = [google_composer_environment.this]
}

run "refuses_each_wrong_value" {
  command = plan
  variables {
    name               = "City-Taxi"
    environment        = "pro d"
    labels             = { Team = "fares" }
    project_id         = "111122223333"
    region             = "EU"
    config_digest      = "9343793a"
    release            = "release 1"
    commit             = "5f8d3a0"
    image              = "city-taxi:latest"
    airflow_version    = "2.10.5"
    environment_size   = "tiny"
    min_workers        = 0
    max_workers        = 101
    worker             = { cpu = 1, memory_gb = 32 }
    allowed_ip_ranges  = [{ value = "office" }]
    store_uri          = "file:///srv/configs"
    variables          = { MLFLOW_TRACKING_PASSWORD = "x" }
    secrets            = ["secret://chat-fares"]
    package_version    = "latest"
    requirements       = "tests/hashed.txt"
    source_bucket      = "gs://acme-airflow"
    encryption_key     = "city-taxi"
    deployers          = ["allUsers"]
    maintenance_window = { start_time = "2026-01-03T08:00:00Z", end_time = "2026-01-03T00:00:00Z", recurrence = "FREQ=DAILY" }
    snapshot_schedule  = "daily"
    secrets_prefix     = "mlops-airflow"
  }
  expect_failures = [
    var.name, var.environment, var.labels, var.project_id, var.region, var.config_digest, var.release,
    var.commit, var.image, var.airflow_version, var.environment_size, var.min_workers, var.max_workers, var.worker,
    var.allowed_ip_ranges, var.store_uri, var.variables, var.secrets, var.package_version,
    var.requirements, var.source_bucket,
    var.encryption_key, var.deployers, var.maintenance_window, var.snapshot_schedule, var.secrets_prefix,
  ]
}

run "refuses_variables_of_its_own_and_secrets_that_are_one_variable" {
  command = plan
  variables {
    variables = { MLOPS_STORE = "gs://acme/other" }
    secrets   = ["chat-fares", "chat.fares"]
  }
  expect_failures = [var.variables, var.secrets]
}

run "refuses_another_environments_files" {
  command = plan
  variables {
    config_path = "configs/dev/"
    jobs        = { requirements = "tests/hashed.txt", python = "python3" }
  }
  expect_failures = [var.config_path, var.jobs]
}

run "refuses_a_lock_that_is_not_there" {
  command = plan
  variables {
    config_path = "configs/prod-eu"
    jobs        = { requirements = "tests/nowhere.txt" }
  }
  expect_failures = [var.config_path, var.jobs]
}

run "refuses_a_variable_that_no_shell_takes" {
  command = plan
  variables {
    variables = { "MLFLOW-URI" = "x" }
  }
  expect_failures = [var.variables]
}

run "each_refuses_one_mistake" {
  command = plan
  variables {
    # a worker with three cpus
    worker = { cpu = 3, memory_gb = 12 }
    # one day of eight hours for maintenance
    maintenance_window = { start_time = "2026-01-03T00:00:00Z", end_time = "2026-01-03T08:00:00Z", recurrence = "FREQ=WEEKLY;BYDAY=SA" }
    # secrets that no job would get
    jobs = {}
  }
  expect_failures = [
    var.worker, var.maintenance_window, var.jobs,
  ]
}

run "each_refuses_a_second_mistake" {
  command = plan
  variables {
    # a worker with half a gigabyte
    worker = { cpu = 0.5, memory_gb = 0.5 }
    # three hours a day for maintenance
    maintenance_window = { start_time = "2026-01-03T00:00:00Z", end_time = "2026-01-03T03:00:00Z", recurrence = "FREQ=DAILY" }
    # a password in an address
    variables = { MLFLOW_TRACKING_URI = "https://ml:swordfish@mlflow.acme.example" }
  }
  expect_failures = [
    var.worker, var.maintenance_window, var.variables,
  ]
}
