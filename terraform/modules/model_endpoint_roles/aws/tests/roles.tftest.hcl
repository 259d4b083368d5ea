mock_provider "aws" {}

variables {
  name             = "city-taxi-trip-fare-prod"
  environment      = "prod"
  labels           = { team = "fares" }
  account_id       = "444455556666"
  region           = "eu-central-1"
  endpoint         = "trip-fare-prod"
  packages_uri     = "s3://acme-ml-prod/configs/city-taxi/models/"
  image_repository = "arn:aws:ecr:eu-central-1:444455556666:repository/city-taxi-prod"
  encryption_keys  = ["arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
  reads = {
    "training.data.source.uri"          = "s3://acme-city-taxi-prod/trips/curated/"
    "inference.batch.input_uri"         = "s3://acme-city-taxi-prod/trips/to-price.parquet"
    "monitoring.performance.labels_uri" = "s3://acme-paid-fares/2026/"
  }
  writes = {
    "inference.batch.output_uri"             = "s3://acme-city-taxi-prod/fares/predictions/"
    "inference.data_capture.destination_uri" = "s3://acme-city-taxi-prod/fares/capture"
    "monitoring.report.destination_uri"      = "file://./build/prod/reports/"
  }
}

run "least_privilege_for_the_server_and_for_the_jobs" {
  command = plan
  variables {
    permissions_boundary = "arn:aws:iam::444455556666:policy/city-taxi-trip-fare-prod-boundary"
  }

  # The execution role is for SageMaker of this account.

  assert {
    condition = jsondecode(aws_iam_role.execution[0].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "sagemaker.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = "444455556666" } }
    }]
    error_message = "Somebody else may take the role on: ${aws_iam_role.execution[0].assume_role_policy}"
  }
  assert {
    condition     = aws_iam_role.execution[0].name == "city-taxi-trip-fare-prod-sagemaker" && aws_iam_role.execution[0].tags == tomap({ team = "fares", environment = "prod" })
    error_message = "Name or tags are not the environment's."
  }
  assert {
    condition     = aws_iam_role.execution[0].permissions_boundary == var.permissions_boundary
    error_message = "The role has no boundary."
  }

  # It does what serving needs and no more.
  assert {
    condition     = [for each in jsondecode(aws_iam_role_policy.execution[0].policy).Statement : each.Sid] == ["WriteLogs", "WriteMetrics", "LogInToRegistry", "PullImage", "LoadPackage", "TellMissingFromForbidden", "WriteCaptures", "RenameCaptures", "UseKeysThroughS3"]
    error_message = "Other statements than serving needs: ${aws_iam_role_policy.execution[0].policy}"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.execution[0].policy, "trips/") && !strcontains(aws_iam_role_policy.execution[0].policy, "predictions")
    error_message = "The server may see training data or predictions."
  }
  assert {
    condition     = { for each in jsondecode(aws_iam_role_policy.execution[0].policy).Statement : each.Sid => each.Resource }["WriteCaptures"] == ["arn:aws:s3:::acme-city-taxi-prod/fares/capture/*"]
    error_message = "Captures are written somewhere else."
  }
  assert {
    condition     = { for each in jsondecode(aws_iam_role_policy.execution[0].policy).Statement : each.Sid => each.Resource }["RenameCaptures"] == ["arn:aws:s3:::acme-city-taxi-prod/fares/capture/.*", "arn:aws:s3:::acme-city-taxi-prod/fares/capture/*/.*"]
    error_message = "More than hidden names can be deleted."
  }
  assert {
    condition     = { for each in jsondecode(aws_iam_role_policy.execution[0].policy).Statement : each.Sid => each.Resource }["LoadPackage"] == ["arn:aws:s3:::acme-ml-prod/configs/city-taxi/models/*"]
    error_message = "Packages are loaded from somewhere else."
  }

  # Jobs read and write the URIs of the configuration.
  assert {
    condition = { for each in jsondecode(aws_iam_policy.data[0].policy).Statement : each.Sid => each.Resource }["ReadData"] == [
      "arn:aws:s3:::acme-city-taxi-prod/trips/to-price.parquet",
      "arn:aws:s3:::acme-city-taxi-prod/trips/to-price.parquet/*",
      "arn:aws:s3:::acme-paid-fares/2026",
      "arn:aws:s3:::acme-paid-fares/2026/*",
      "arn:aws:s3:::acme-city-taxi-prod/trips/curated",
      "arn:aws:s3:::acme-city-taxi-prod/trips/curated/*",
      "arn:aws:s3:::acme-city-taxi-prod/fares/predictions",
      "arn:aws:s3:::acme-city-taxi-prod/fares/predictions/*",
      "arn:aws:s3:::acme-city-taxi-prod/fares/capture",
      "arn:aws:s3:::acme-city-taxi-prod/fares/capture/*",
      "arn:aws:s3:::acme-ml-prod/configs/city-taxi/models",
      "arn:aws:s3:::acme-ml-prod/configs/city-taxi/models/*",
    ]
    error_message = "Jobs read something else: ${aws_iam_policy.data[0].policy}"
  }
  assert {
    condition     = { for each in jsondecode(aws_iam_policy.data[0].policy).Statement : each.Sid => each.Resource }["WriteData"] == ["arn:aws:s3:::acme-city-taxi-prod/fares/predictions/*", "arn:aws:s3:::acme-city-taxi-prod/fares/capture/*"]
    error_message = "Jobs write something else: ${aws_iam_policy.data[0].policy}"
  }
  assert {
    condition     = !strcontains(aws_iam_policy.data[0].policy, "build/prod")
    error_message = "A file:// URI came into a policy."
  }
  # What may be listed in one bucket may not be listed in another one.
  assert {
    condition = { for each in jsondecode(aws_iam_policy.data[0].policy).Statement : each.Resource[0] => each.Condition.StringLikeIfExists["s3:prefix"] if startswith(each.Sid, "List") } == {
      "arn:aws:s3:::acme-city-taxi-prod" = ["fares/capture", "fares/capture/*", "fares/predictions", "fares/predictions/*", "trips/curated", "trips/curated/*", "trips/to-price.parquet", "trips/to-price.parquet/*"]
      "arn:aws:s3:::acme-ml-prod"        = ["configs/city-taxi/models", "configs/city-taxi/models/*"]
      "arn:aws:s3:::acme-paid-fares"     = ["2026", "2026/*"]
    }
    error_message = "Jobs list something else: ${aws_iam_policy.data[0].policy}"
  }

  # Jobs deploy this endpoint only.
  assert {
    condition     = alltrue([for each in jsondecode(aws_iam_policy.endpoint[0].policy).Statement : each.Sid != "DeployEndpoint" || alltrue([for arn in each.Resource : can(regex("/trip-fare-prod(-\\*)?$", arn))])])
    error_message = "Another endpoint can be changed: ${aws_iam_policy.endpoint[0].policy}"
  }
  assert {
    condition     = [for each in jsondecode(aws_iam_policy.endpoint[0].policy).Statement : each if contains(flatten([each.Action]), "iam:PassRole")][0].Resource == ["arn:aws:iam::444455556666:role/city-taxi-trip-fare-prod-sagemaker"]
    error_message = "Another role can be passed: ${aws_iam_policy.endpoint[0].policy}"
  }
  # Only listings, which know no resources, are for everything.
  assert {
    condition     = [for each in jsondecode(aws_iam_policy.endpoint[0].policy).Statement : each.Sid if contains(each.Resource, "*")] == ["FindOwn"]
    error_message = "A statement is for every resource: ${aws_iam_policy.endpoint[0].policy}"
  }
  assert {
    condition     = max(length(aws_iam_policy.data[0].policy), length(aws_iam_policy.endpoint[0].policy)) <= 6144
    error_message = "A policy is longer than AWS takes."
  }
  assert {
    condition     = alltrue(flatten([for policy in [aws_iam_policy.data[0].policy, aws_iam_policy.endpoint[0].policy, aws_iam_role_policy.execution[0].policy] : [for each in jsondecode(policy).Statement : [for action in each.Action : !strcontains(action, "*")]]]))
    error_message = "An action is a wildcard."
  }
}

run "a_pattern_is_listed_from_its_folder" {
  command = plan
  variables {
    reads = {
      "training.data.source.uri"  = "s3://acme-city-taxi-prod/trips/date=*/part-*.parquet"
      "inference.batch.input_uri" = "s3://acme-paid-fares/year=*"
    }
    writes = {}
  }

  assert {
    condition = { for each in jsondecode(aws_iam_policy.data[0].policy).Statement : each.Resource[0] => each.Condition.StringLikeIfExists["s3:prefix"] if startswith(each.Sid, "List") } == {
      "arn:aws:s3:::acme-city-taxi-prod" = ["trips", "trips/*"]
      "arn:aws:s3:::acme-ml-prod"        = ["configs/city-taxi/models", "configs/city-taxi/models/*"]
      "arn:aws:s3:::acme-paid-fares"     = ["*"]
    }
    error_message = "Jobs cannot find what the pattern means: ${aws_iam_policy.data[0].policy}"
  }
}

run "a_policy_that_aws_would_not_take_is_not_planned" {
  command = plan
  variables {
    reads = { for number in range(7) : "training.data.source.${number}" => "s3://acme-city-taxi-prod/${join("/", [for _ in range(20) : "folder-${number}"])}/" }
  }
  expect_failures = [aws_iam_policy.data]
}

run "without_an_endpoint_there_is_no_role_for_one" {
  command = plan
  variables {
    endpoint     = null
    packages_uri = null
  }

  assert {
    condition     = length(aws_iam_role.execution) == 0 && output.execution_role == null && keys(output.job_policies) == ["data"] && !strcontains(aws_iam_policy.data[0].policy, "sagemaker")
    error_message = "Something of SageMaker is left."
  }
}

run "an_environment_that_touches_nothing_in_aws_gets_no_policy" {
  command = plan
  variables {
    endpoint        = null
    packages_uri    = null
    encryption_keys = []
    reads           = { "training.data.source.uri" = "file://./data/trips.csv" }
    writes          = { "inference.batch.output_uri" = "gs://acme-ml-dev/predictions/" }
  }

  assert {
    condition     = length(output.job_policies) == 0
    error_message = "There is a policy, and nothing that it is for."
  }
}

run "other_partitions_have_their_own_arns" {
  command = plan
  variables {
    region           = "us-gov-west-1"
    image_repository = null
    encryption_keys  = []
  }

  assert {
    condition     = !strcontains(aws_iam_policy.data[0].policy, "arn:aws:") && !strcontains(aws_iam_policy.endpoint[0].policy, "arn:aws:") && !strcontains(aws_iam_role_policy.execution[0].policy, "arn:aws:") && strcontains(aws_iam_policy.data[0].policy, "arn:aws-us-gov:s3:::")
    error_message = "An ARN is of the wrong partition."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.execution[0].policy, "ecr:")
    error_message = "Nothing is pulled, and something may be."
  }
}

run "names_that_no_one_could_read_are_refused" {
  command = plan
  variables {
    name        = "City_Taxi"
    environment = "Prod"
    account_id  = "44445555666"
    region      = "frankfurt"
    endpoint    = "trip--fare"
  }
  expect_failures = [var.name, var.environment, var.account_id, var.region, var.endpoint]
}

run "places_that_are_none_are_refused" {
  command = plan
  variables {
    reads            = { "training.data.source.uri" = "s3://Acme_Data/trips/" }
    writes           = { "inference.batch.output_uri" = "s3://x" }
    packages_uri     = "s3://acme-ml-prod/configs/models"
    image_repository = "444455556666.dkr.ecr.eu-central-1.amazonaws.com/city-taxi"
    encryption_keys  = ["alias/acme"]
  }
  expect_failures = [var.reads, var.writes, var.packages_uri, var.image_repository, var.encryption_keys]
}

run "a_whole_bucket_is_no_place_to_write_to" {
  command = plan
  variables {
    writes = { "inference.batch.output_uri" = "s3://acme-city-taxi-prod/" }
  }
  expect_failures = [var.writes]
}
