# With the example's terraform.tfvars.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "777788889999" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

run "a_bucket_for_states_and_roles_for_github" {
  command = plan

  assert {
    condition = output.backend == { dev = {
      bucket       = "acme-terraform-777788889999"
      key          = "city-taxi/dev/aws.tfstate"
      region       = "eu-central-1"
      use_lockfile = true
    } }
    error_message = "States lie somewhere else: ${jsonencode(output.backend)}."
  }
  assert {
    condition     = keys(output.github_variables) == ["dev"] && keys(output.roles.dev) == ["deploy", "plan", "publish", "rollback"]
    error_message = "Roles are missing: ${jsonencode(keys(output.github_variables))}."
  }
  assert {
    condition = (
      output.github_variables.dev.MLOPS_STORE == "s3://city-taxi-trip-fare-dev-777788889999" &&
      output.github_variables.dev.MLOPS_REGISTRY == "777788889999.dkr.ecr.eu-central-1.amazonaws.com" &&
      output.github_variables.dev.MLOPS_IMAGE == "777788889999.dkr.ecr.eu-central-1.amazonaws.com/city-taxi-trip-fare-dev"
    )
    error_message = "Releases would go somewhere else: ${jsonencode(output.github_variables)}."
  }
}

run "stores_and_a_repository_of_yours_are_named" {
  command = plan
  variables {
    environments = {
      dev = {
        name             = "city-taxi-trip-fare-dev"
        publish_refs     = []
        state_key        = "city-taxi/dev/aws.tfstate"
        store            = "s3://acme-releases/fares"
        image_repository = "arn:aws-cn:ecr:cn-north-1:444455556666:repository/acme/models"
      }
      # As its root is given artifact_store.name.
      staging = {
        name         = "city-taxi-trip-fare-staging"
        publish_refs = []
        state_key    = "city-taxi/staging/aws.tfstate"
        store        = "s3://city-taxi-trip-fare-staging-releases"
      }
    }
  }
  assert {
    condition = (
      output.github_variables.dev.MLOPS_STORE == "s3://acme-releases/fares" &&
      output.github_variables.dev.MLOPS_REGISTRY == "444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn" &&
      output.github_variables.dev.MLOPS_IMAGE == "444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn/acme/models" &&
      output.github_variables.staging.MLOPS_STORE == "s3://city-taxi-trip-fare-staging-releases"
    )
    error_message = "Releases would go somewhere else: ${jsonencode(output.github_variables)}."
  }
}

run "names_and_accounts_that_are_none_are_refused" {
  command = plan
  variables {
    name       = "Acme"
    account_id = "prod"
    region     = "eu"
    state_days = 1
  }
  expect_failures = [var.name, var.account_id, var.region, var.state_days]
}
