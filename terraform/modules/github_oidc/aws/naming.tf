# How what an environment has is called: everything begins with its name, so a prefix is what a policy can say.

locals {
  secrets = { for environment, each in var.environments :
    environment => "arn:${local.partition}:secretsmanager:${var.region}:${var.account_id}:secret:${coalesce(each.secrets_prefix, "airflow/${each.name}")}"
  }

  # Where releases and images go: what modules/environment/aws makes, or yours.
  stores = { for environment, each in var.environments :
    environment => trimsuffix(coalesce(each.store, "s3://${each.name}-${var.account_id}"), "/")
  }
  image_parts = { for environment, each in var.environments : environment => regex(
    "^arn:[a-z-]+:ecr:(?P<region>[^:]+):(?P<account>[^:]+):repository/(?P<name>.+)$",
    coalesce(each.image_repository, "arn:${local.partition}:ecr:${var.region}:${var.account_id}:repository/${each.name}"),
  ) }
  images = { for environment, at in local.image_parts :
    environment => "${at.account}.dkr.ecr.${at.region}.amazonaws.com${startswith(at.region, "cn-") ? ".cn" : ""}/${at.name}"
  }

  at = { for environment, each in var.environments : environment => {
    airflow      = "arn:${local.partition}:airflow:${var.region}:${var.account_id}"
    airflow_name = coalesce(each.airflow, each.name)
    # Buckets of ours are <name>-<account> and <name>-<what>-<account>, and their logs.
    buckets  = "arn:${local.partition}:s3:::${each.name}-*"
    ecr      = "arn:${local.partition}:ecr:${var.region}:${var.account_id}:repository/${each.name}*"
    images   = coalesce(each.image_repository, "arn:${local.partition}:ecr:${var.region}:${var.account_id}:repository/${each.name}*")
    keys     = "arn:${local.partition}:kms:${var.region}:${var.account_id}:key/*"
    aliases  = "arn:${local.partition}:kms:${var.region}:${var.account_id}:alias/${each.name}-*"
    role     = "arn:${local.partition}:iam::${var.account_id}:role/${each.name}-*"
    policy   = "arn:${local.partition}:iam::${var.account_id}:policy/${each.name}-*"
    boundary = "arn:${local.partition}:iam::${var.account_id}:policy/github-${each.name}-boundary"
    topics   = "arn:${local.partition}:sns:${var.region}:${var.account_id}:${each.name}-*"
    logs     = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group"
    aps      = "arn:${local.partition}:aps:${var.region}:${var.account_id}"
    # As the airflow module names them: two that Terraform writes, and those that people fill.
    connection = [for kind in ["connections", "variables"] : "${local.secrets[environment]}/${kind}/mlops_${replace(environment, "-", "_")}*"]
    filled     = "${local.secrets[environment]}/secrets/${environment}/*"
    ec2        = "arn:${local.partition}:ec2:${var.region}:${var.account_id}"
    sagemaker  = "arn:${local.partition}:sagemaker:${var.region}:${var.account_id}"

    store_bucket = "arn:${local.partition}:s3:::${split("/", trimprefix(local.stores[environment], "s3://"))[0]}"
    store        = "arn:${local.partition}:s3:::${trimprefix(local.stores[environment], "s3://")}/*"
    dags_bucket  = each.dags_folder == null ? "arn:${local.partition}:s3:::${each.name}-airflow-${var.account_id}" : "arn:${local.partition}:s3:::${split("/", trimprefix(each.dags_folder, "s3://"))[0]}"
    dags         = each.dags_folder == null ? "arn:${local.partition}:s3:::${each.name}-airflow-${var.account_id}/dags/*" : "arn:${local.partition}:s3:::${trimsuffix(trimprefix(each.dags_folder, "s3://"), "/")}/*"

    state = "arn:${local.partition}:s3:::${var.state.bucket}/${each.state_key}"
    # What was made with this environment's tag, and what is made must have it.
    owned = { StringEquals = { "aws:ResourceTag/environment" = environment } }
    made  = { StringEquals = { "aws:RequestTag/environment" = environment } }
  } }

  # Keys are used through services only, which hand over what the caller may have from them.
  services_with_keys = { for service in ["airflow", "aps", "s3", "secretsmanager"] : service => "${service}.${var.region}.amazonaws.com" }
  through_s3         = { StringEquals = { "kms:ViaService" = local.services_with_keys.s3 } }
}
