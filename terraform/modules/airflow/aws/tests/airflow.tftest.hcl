# The environment, what it may do, and what it reads; nothing secret in the state.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/city-taxi-trip-fare-prod-airflow" }
  }

  mock_resource "aws_s3_object" {
    defaults = { version_id = "a-version" }
  }
}

variables {
  name               = "city-taxi-trip-fare-prod"
  environment        = "prod"
  config_path        = "configs/prod/"
  config_digest      = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  release            = "1.2.0"
  commit             = "0123456789012345678901234567890123456789"
  image              = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/city-taxi-prod@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
  subnet_ids         = ["subnet-0a", "subnet-0b"]
  security_group_ids = ["sg-0a"]
  store_uri          = "s3://acme-city-taxi-prod-releases/configs"

  variables = {
    MLFLOW_TRACKING_URI                        = "https://mlflow.acme.example"
    MLOPS_SECRET_SAGEMAKER_EXECUTION_ROLE_PROD = "arn:aws:iam::111122223333:role/city-taxi-trip-fare-prod-endpoint"
  }

  secrets = ["sagemaker-execution-role-prod", "chat-fares"]
  jobs    = { requirements = "tests/jobs.txt" }
}

run "the_environment_and_what_it_reads" {
  command = apply

  assert {
    condition = (
      aws_mwaa_environment.this.airflow_version == "3.2.1" && aws_mwaa_environment.this.dag_s3_path == "dags/" &&
      aws_mwaa_environment.this.source_bucket_arn == "arn:aws:s3:::city-taxi-trip-fare-prod-airflow-111122223333" &&
      aws_mwaa_environment.this.requirements_s3_path == "requirements.txt" && aws_mwaa_environment.this.startup_script_s3_path == "startup.sh" &&
      aws_mwaa_environment.this.requirements_s3_object_version == "a-version" && aws_mwaa_environment.this.kms_key == aws_kms_key.this[0].arn
    )
    error_message = "MWAA does not find DAGs, requirements, script or key."
  }

  assert {
    condition = nonsensitive(aws_mwaa_environment.this.airflow_configuration_options["secrets.backend_kwargs"]) == jsonencode({
      connections_prefix = "airflow/connections", connections_lookup_pattern = "^mlops_"
      variables_prefix   = "airflow/variables", variables_lookup_pattern = "^mlops_"
    })
    error_message = "Airflow does not look where this module puts the Connection, or asks for what is not ours."
  }

  assert {
    condition = alltrue([
      for logs in [
        aws_mwaa_environment.this.logging_configuration[0].dag_processing_logs[0], aws_mwaa_environment.this.logging_configuration[0].scheduler_logs[0],
        aws_mwaa_environment.this.logging_configuration[0].task_logs[0], aws_mwaa_environment.this.logging_configuration[0].webserver_logs[0],
        aws_mwaa_environment.this.logging_configuration[0].worker_logs[0],
      ] : logs.enabled
    ])
    error_message = "Some of Airflow's logs are off."
  }

  assert {
    condition = (
      { for part, group in aws_cloudwatch_log_group.airflow : group.name => group.retention_in_days } == {
        for part in ["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"] : "airflow-city-taxi-trip-fare-prod-${part}" => 90
      } && alltrue([for group in values(aws_cloudwatch_log_group.airflow) : group.kms_key_id == aws_kms_key.this[0].arn])
    )
    error_message = "Logs are kept for good, or not encrypted."
  }

  assert {
    condition = (
      keys(aws_s3_object.dags) == ["deployments_dag.py", "inference_dag.py", "monitoring_dag.py", "retraining_dag.py", "training_dag.py"] &&
      aws_s3_object.dags["training_dag.py"].key == "dags/training_dag.py" && aws_s3_object.ignore.content == "mlops/\n"
    )
    error_message = "The DAG folder does not get the five files and what keeps Airflow out of the deployments."
  }

  assert {
    condition = aws_s3_object.requirements.content == join("\n", [
      "--constraint \"https://raw.githubusercontent.com/apache/airflow/constraints-3.2.1/constraints-3.12.txt\"",
      "mlops-config-action[airflow,airflow-kubernetes,aws,s3]==1.0.0", "",
    ])
    error_message = "Airflow does not get this package within its own constraints."
  }

  assert {
    condition = (
      output.url == "mwaa://city-taxi-trip-fare-prod" && output.dags_folder == "s3://city-taxi-trip-fare-prod-airflow-111122223333/dags" &&
      output.execution_role == aws_iam_role.execution.arn && length(terraform_data.deploy) == 0
    )
    error_message = "The outputs are not what deploy takes, or it is started though nobody asked for it."
  }

  # What Airflow reads.
  assert {
    condition = (
      aws_secretsmanager_secret.connection.name == "airflow/connections/mlops_prod" && aws_secretsmanager_secret.connection.kms_key_id == aws_kms_key.this[0].arn &&
      jsondecode(nonsensitive(aws_secretsmanager_secret_version.connection.secret_string)) == {
        conn_type = "generic"
        extra = {
          environment = "prod"
          python      = "/usr/local/airflow/mlops-jobs/bin/python-with-secrets"
          entrypoints = "/usr/local/airflow/mlops-jobs/app"
          variables = {
            MLFLOW_TRACKING_URI                        = "https://mlflow.acme.example"
            MLOPS_STORE                                = "s3://acme-city-taxi-prod-releases/configs"
            MLOPS_SECRET_SAGEMAKER_EXECUTION_ROLE_PROD = "arn:aws:iam::111122223333:role/city-taxi-trip-fare-prod-endpoint"
            MLOPS_LOOKED_UP                            = "{\"MLOPS_SECRET_CHAT_FARES\":\"airflow/secrets/prod/chat-fares\"}"
          }
        }
      }
    )
    error_message = "The Connection is not the one that the jobs of prod need."
  }

  assert {
    condition = (
      aws_secretsmanager_secret.release.name == "airflow/variables/mlops_prod_release" &&
      jsondecode(nonsensitive(aws_secretsmanager_secret_version.release.secret_string)) == {
        config_path   = "configs/prod/"
        config_digest = var.config_digest
        release       = "1.2.0"
        commit        = var.commit
        image         = var.image
      } && aws_secretsmanager_secret.release.tags["mlops:config_path"] == "configs/prod/" && aws_secretsmanager_secret.release.tags["mlops:release"] == "1.2.0"
    )
    error_message = "The Variable does not say what was provisioned, or a plan cannot show it."
  }

  assert {
    condition     = output.secrets == { chat-fares = "airflow/secrets/prod/chat-fares" }
    error_message = "A secret that has to be filled is missing, or one is made for a role's ARN."
  }

  assert {
    condition = (
      aws_s3_object.jobs[0].key == "jobs/${filesha256("tests/jobs.txt")}.txt" && strcontains(aws_s3_object.startup[0].content, aws_s3_object.jobs[0].key) &&
      strcontains(aws_s3_object.startup[0].content, "JOBS_PACKAGE='mlops-config-action==1.0.0'") && startswith(aws_s3_object.startup[0].content, "#!/bin/bash\n")
    )
    error_message = "The startup script does not name these requirements and this package."
  }
}

run "as_many_labels_as_the_configuration_may_have" {
  command = plan
  variables {
    labels = { for number in range(40) : "label-${number}" => "value" }
  }

  assert {
    condition     = alltrue([for object in concat(values(aws_s3_object.dags), [aws_s3_object.ignore, aws_s3_object.requirements], aws_s3_object.jobs, aws_s3_object.startup) : length(object.tags) <= 10])
    error_message = "S3 takes ten tags of an object: ${jsonencode(aws_s3_object.requirements.tags)}"
  }
  assert {
    condition     = length(aws_secretsmanager_secret.release.tags) <= 50
    error_message = "AWS takes fifty tags."
  }
}

run "what_is_made_again_gives_its_name_free_at_once" {
  command = plan

  assert {
    condition     = aws_secretsmanager_secret.connection.recovery_window_in_days == 0 && aws_secretsmanager_secret.release.recovery_window_in_days == 0 && alltrue([for secret in aws_secretsmanager_secret.filled_by_people : secret.recovery_window_in_days == 7])
    error_message = "The Connection cannot be made again, or a secret of people's goes at once."
  }
}

run "what_the_role_may_do" {
  command = apply

  variables {
    policies             = { data = "arn:aws:iam::111122223333:policy/city-taxi-trip-fare-prod-data" }
    permissions_boundary = "arn:aws:iam::111122223333:policy/mlops-boundary"
  }

  assert {
    condition = jsonencode(one(jsondecode(aws_iam_role.execution.assume_role_policy).Statement).Condition) == jsonencode({
      ArnEquals    = { "aws:SourceArn" = "arn:aws:airflow:eu-central-1:111122223333:environment/city-taxi-trip-fare-prod" }
      StringEquals = { "aws:SourceAccount" = "111122223333" }
    })
    error_message = "Another environment's Airflow may take this role."
  }

  assert {
    condition = sort([
      for each in jsondecode(aws_iam_role_policy.execution.policy).Statement : each.Sid if contains(flatten([each.Resource]), "*")
    ]) == tolist(["FindLogs", "SeeThatBucketsAreClosed", "WriteMetrics"])
    error_message = "A statement is for all resources that should name some."
  }

  assert {
    condition = alltrue([
      for each in jsondecode(aws_iam_role_policy.execution.policy).Statement : each.Effect == "Allow" &&
      alltrue([for action in flatten([each.Action]) : can(regex("^(airflow|cloudwatch|kms|logs|s3|secretsmanager|sqs):[A-Z]", action)) && !endswith(action, ":*")])
    ])
    error_message = "The role may do everything in some service."
  }

  assert {
    condition = jsonencode({
      for each in jsondecode(aws_iam_role_policy.execution.policy).Statement : each.Sid => each.Condition if can(each.Condition)
      }) == jsonencode({
      WriteMetrics = { StringEquals = { "cloudwatch:namespace" = ["AmazonMWAA", "AWS/MWAA"] } }
      UseTheKey = {
        StringEquals = { "kms:ViaService" = ["s3.eu-central-1.amazonaws.com", "secretsmanager.eu-central-1.amazonaws.com", "sqs.eu-central-1.amazonaws.com"] }
      }
    })
    error_message = "Metrics of others can be written, or the key used otherwise than through MWAA's services."
  }

  assert {
    condition = toset(one([
      for each in jsondecode(aws_iam_role_policy.execution.policy).Statement : each.Resource if each.Sid == "ReadItsOwnConnectionAndSecrets"
      ])) == toset([
      aws_secretsmanager_secret.connection.arn, aws_secretsmanager_secret.release.arn, aws_secretsmanager_secret.filled_by_people["chat-fares"].arn
    ])
    error_message = "The role may read secrets that are not this environment's."
  }

  assert {
    condition = jsonencode({
      for each in jsondecode(aws_iam_role_policy.execution.policy).Statement : each.Sid => each.Resource
      if contains(["SayThatItLives", "ReadDagsAndRequirements", "WriteAndReadLogs", "PassTasksToWorkers", "UseTheKey"], each.Sid)
      }) == jsonencode({
      SayThatItLives          = "arn:aws:airflow:eu-central-1:111122223333:environment/city-taxi-trip-fare-prod"
      ReadDagsAndRequirements = ["arn:aws:s3:::city-taxi-trip-fare-prod-airflow-111122223333", "arn:aws:s3:::city-taxi-trip-fare-prod-airflow-111122223333/*"]
      WriteAndReadLogs        = "arn:aws:logs:eu-central-1:111122223333:log-group:airflow-city-taxi-trip-fare-prod-*"
      PassTasksToWorkers      = "arn:aws:sqs:eu-central-1:*:airflow-celery-*"
      UseTheKey               = aws_kms_key.this[0].arn
    })
    error_message = "The role may read other buckets, write other logs, or use other queues or keys."
  }

  assert {
    condition = (
      aws_iam_role_policy_attachment.jobs["data"].policy_arn == var.policies["data"] && aws_iam_role.execution.permissions_boundary == var.permissions_boundary
    )
    error_message = "What the jobs do is not attached, or the role is not bounded."
  }

  assert {
    condition = one([
      for each in jsondecode(aws_kms_key.this[0].policy).Statement : each.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"] if each.Sid == "CloudWatchEncryptsTheseLogs"
    ]) == "arn:aws:logs:eu-central-1:111122223333:log-group:airflow-city-taxi-trip-fare-prod-*"
    error_message = "CloudWatch may use the key for other logs."
  }
}

run "the_bucket" {
  command = apply

  variables {
    access_log_bucket = "acme-logs"
  }

  assert {
    condition = jsonencode({
      for each in jsondecode(aws_s3_bucket_policy.this[0].policy).Statement :
      each.Sid => [each.Effect, each.Action, trimprefix(flatten([each.Resource])[length(flatten([each.Resource])) - 1], "arn:aws:s3:::city-taxi-trip-fare-prod-airflow-111122223333"), each.Condition]
      }) == jsonencode({
      OnlyEncryptedConnections         = ["Deny", "s3:*", "/*", { Bool = { "aws:SecureTransport" = "false" } }]
      OnlyTls12AndLater                = ["Deny", "s3:*", "/*", { NumericLessThan = { "s3:TlsVersion" = "1.2" } }]
      BundlesAreWriteOnce              = ["Deny", "s3:PutObject", "/dags/mlops/*/bundles/*", { Null = { "s3:if-none-match" = "true" } }]
      DeploymentsAreComparedAndSwapped = ["Deny", "s3:PutObject", "/dags/mlops/*/deployment.json", { Null = { "s3:if-match" = "true", "s3:if-none-match" = "true" } }]
    })
    error_message = "Plain HTTP is let in, or a deployed bundle can be replaced."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.this[0].block_public_policy && aws_s3_bucket_public_access_block.this[0].restrict_public_buckets &&
      aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled" && !aws_s3_bucket.this[0].force_destroy &&
      aws_s3_bucket_logging.this[0].target_bucket == "acme-logs"
    )
    error_message = "The bucket is open, has no versions, is emptied by Terraform, or is not logged."
  }
}

run "what_an_organisation_has" {
  command = plan

  variables {
    source_bucket   = "acme-airflow"
    encryption_key  = "arn:aws:kms:eu-central-1:111122223333:key/11111111-0000-4000-8000-000000000000"
    requirements    = "tests/requirements.txt"
    environment     = "blue-prod"
    config_path     = "ml/configs/blue-prod/"
    secrets_prefix  = "acme/airflow"
    secrets         = []
    jobs            = { kubernetes_conn_id = "eks", kubernetes_secrets = ["fares"] }
    trigger         = true
    airflow_options = { "celery.worker_autoscale" = "5,5" }
  }

  assert {
    condition = (
      length(aws_s3_bucket.this) + length(aws_s3_bucket_policy.this) + length(aws_kms_key.this) == 0 &&
      aws_mwaa_environment.this.source_bucket_arn == "arn:aws:s3:::acme-airflow" && output.dags_folder == "s3://acme-airflow/dags" &&
      aws_mwaa_environment.this.kms_key == var.encryption_key
    )
    error_message = "The organisation's bucket and key are not used."
  }

  assert {
    condition     = aws_s3_object.requirements.content == file("tests/requirements.txt") && length(aws_s3_object.startup) == 0 && aws_mwaa_environment.this.startup_script_s3_path == null
    error_message = "The given requirements are not used, or a script is there that makes nothing."
  }

  assert {
    condition = (
      aws_secretsmanager_secret.connection.name == "acme/airflow/connections/mlops_blue_prod" &&
      jsondecode(nonsensitive(aws_secretsmanager_secret_version.connection.secret_string)).extra == {
        environment        = "blue-prod"
        kubernetes_conn_id = "eks"
        kubernetes_secrets = ["fares"]
        variables          = merge(var.variables, { MLOPS_STORE = var.store_uri })
      }
    )
    error_message = "The Connection has not what pods need, or what nobody gave."
  }

  assert {
    condition     = terraform_data.deploy[0].triggers_replace == ["1.2.0", var.config_digest, var.image]
    error_message = "The deployment is not started for each release."
  }

  assert {
    condition     = nonsensitive(aws_mwaa_environment.this.airflow_configuration_options["celery.worker_autoscale"]) == "5,5"
    error_message = "Airflow's option is not taken over."
  }
}

run "refuses_what_mwaa_does_not_take" {
  command = plan

  variables {
    name                  = "City-Taxi"
    labels                = { "aws:team" = "fares" }
    config_digest         = "sha256:abc"
    release               = " "
    commit                = "main"
    image                 = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/city-taxi-prod:latest"
    airflow_version       = "3.0.6"
    environment_class     = "small"
    min_workers           = 0
    subnet_ids            = ["subnet-0a"]
    security_group_ids    = []
    webserver_access_mode = "OPEN"
    maintenance_window    = "SUN:03:15"
    airflow_options       = { "secrets.backend" = "mine" }
    store_uri             = "file:///srv/store"
    variables             = { MLFLOW_TRACKING_PASSWORD = "x" }
    secrets_prefix        = "/airflow/"
    package_version       = "latest"
    requirements          = "tests/jobs.txt"
    source_bucket         = "Acme"
    access_log_bucket     = "s3://logs"
    encryption_key        = "alias/acme"
    log_days              = 10
    permissions_boundary  = "mlops-boundary"
  }

  expect_failures = [
    var.name,
    var.labels,
    var.config_digest,
    var.release,
    var.commit,
    var.image,
    var.airflow_version,
    var.environment_class,
    var.min_workers,
    var.subnet_ids,
    var.security_group_ids,
    var.webserver_access_mode,
    var.maintenance_window,
    var.airflow_options,
    var.store_uri,
    var.variables,
    var.secrets_prefix,
    var.package_version,
    var.requirements,
    var.source_bucket,
    var.access_log_bucket,
    var.encryption_key,
    var.log_days,
    var.permissions_boundary,
  ]
}

run "refuses_another_environments_files" {
  command = plan

  variables {
    config_path = "configs/staging/"
    variables   = { "1ST" = "x" }
  }

  expect_failures = [var.config_path, var.variables]
}

run "refuses_a_second_worker_of_the_smallest_class_and_a_name_no_folder_has" {
  command = plan

  variables {
    environment       = "Prod"
    environment_class = "mw1.micro"
    variables         = { MLOPS_STORE = "s3://other" }
    secrets           = ["../other"]
  }

  expect_failures = [var.environment, var.max_workers, var.variables, var.secrets]
}

run "refuses_a_password_in_an_address" {
  command = plan

  variables {
    variables = { MLFLOW_TRACKING_URI = "https://me:word@mlflow.acme.example" }
    secrets   = []
  }

  expect_failures = [var.variables]
}

run "refuses_secrets_that_no_job_would_get_and_more_workers_than_amazon_gives" {
  command = plan

  variables {
    jobs        = {}
    max_workers = 26
  }

  expect_failures = [var.jobs, var.max_workers]
}

run "refuses_two_pythons" {
  command = plan

  variables {
    jobs = { requirements = "tests/jobs.txt", python = "/opt/python" }
  }

  expect_failures = [var.jobs]
}

run "refuses_requirements_that_are_not_there" {
  command = plan

  variables {
    jobs = { requirements = "tests/nothing.txt" }
  }

  expect_failures = [var.jobs]
}

run "refuses_a_folder_without_the_dag_files" {
  command = plan

  variables {
    dag_source = "tests"
  }

  expect_failures = [aws_mwaa_environment.this]
}
