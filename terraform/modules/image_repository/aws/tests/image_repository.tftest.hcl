# Tags that stay, a lifecycle that spares them, and who may do what.

mock_provider "aws" {
  mock_resource "aws_ecr_repository" {
    defaults = {
      arn            = "arn:aws:ecr:eu-central-1:111122223333:repository/city-taxi-prod"
      repository_url = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/city-taxi-prod"
    }
  }
}

variables {
  name            = "city-taxi-trip-fare-prod"
  environment     = "prod"
  labels          = { team = "fares" }
  repository_name = "city-taxi-prod"
  writers         = ["arn:aws:iam::111122223333:role/city-taxi-prod-publish"]
  readers         = ["arn:aws:iam::111122223333:role/city-taxi-prod-jobs"]
}

run "an_image_stays_what_it_is" {
  command = apply

  assert {
    condition = (
      aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && !aws_ecr_repository.this.force_delete &&
      length(aws_ecr_repository.this.image_tag_mutability_exclusion_filter) == 0
    )
    error_message = "A tag can be moved, or Terraform would delete images with the repository."
  }

  assert {
    condition = (
      aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push &&
      aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS"
    )
    error_message = "Images are not scanned, or not encrypted with a key of KMS."
  }

  assert {
    condition = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : [rule.selection, rule.action]] == [[
      { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }, { type = "expire" }
    ]]
    error_message = "The lifecycle has another rule than the one for images without a tag."
  }

  assert {
    condition = jsonencode({
      for each in jsondecode(aws_ecr_repository_policy.this.policy).Statement : each.Sid => [each.Effect, try(each.Principal.AWS, each.Principal), each.Action]
      }) == jsonencode({
      NothingIsDeleted = ["Deny", "*", ["ecr:BatchDeleteImage"]]
      Pull = [
        "Allow", [var.writers[0], var.readers[0]],
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
      ]
      Push = [
        "Allow", [var.writers[0]],
        ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
      ]
    })
    error_message = "Somebody may pull, push or delete who should not."
  }

  assert {
    condition = (
      output.repository_url == "111122223333.dkr.ecr.eu-central-1.amazonaws.com/city-taxi-prod" &&
      output.arn_or_id == "arn:aws:ecr:eu-central-1:111122223333:repository/city-taxi-prod" &&
      aws_ecr_repository.this.tags == tomap({ Name = "city-taxi-trip-fare-prod", environment = "prod", team = "fares" })
    )
    error_message = "The outputs or tags are not the repository's."
  }
}

run "a_key_of_the_organisation_and_nobody_named" {
  command = plan

  variables {
    encryption_key = "arn:aws:kms:eu-central-1:111122223333:key/11111111-0000-4000-8000-000000000000"
    writers        = []
    readers        = []
  }

  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].kms_key == var.encryption_key
    error_message = "The given key is not used."
  }

  assert {
    condition     = [for each in jsondecode(aws_ecr_repository_policy.this.policy).Statement : each.Sid] == ["NothingIsDeleted"]
    error_message = "Without writers and readers the policy still allows something."
  }
}

run "refuses_what_no_repository_can_have" {
  command = plan

  variables {
    name            = "City-Taxi"
    environment     = "prod 1"
    labels          = { "aws:team" = "fares" }
    repository_name = "City-Taxi"
    untagged_days   = 0
    writers         = ["arn:aws:iam::111122223333:user/somebody"]
    readers         = ["*"]
    encryption_key  = "alias/acme"
  }

  expect_failures = [
    var.name,
    var.environment,
    var.labels,
    var.repository_name,
    var.untagged_days,
    var.writers,
    var.readers,
    var.encryption_key,
  ]
}
