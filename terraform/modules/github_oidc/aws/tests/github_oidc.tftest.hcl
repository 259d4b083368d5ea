mock_provider "aws" {}

variables {
  account_id = "444455556666"
  region     = "eu-central-1"
  repository = { owner = "acme", owner_id = "1000001", name = "fares", id = "2000002" }
  environments = {
    prod = {
      name         = "city-taxi-trip-fare-prod"
      publish_refs = ["refs/tags/release/v*"]
      state_key    = "city-taxi/prod/aws.tfstate"
      endpoint     = "trip-fare-prod"
    }
  }
  state = { bucket = "acme-terraform-444455556666" }
}

run "each_role_is_for_its_own_jobs_of_this_repository" {
  command = plan

  assert {
    condition = { for key, role in aws_iam_role.this : key => jsondecode(role.assume_role_policy).Statement[0].Condition.StringLike["token.actions.githubusercontent.com:sub"] } == {
      "prod plan" = [
        "repo:acme/fares:pull_request",
        "repo:acme/fares:ref:refs/heads/gh-readonly-queue/main/*",
        "repo:acme/fares:ref:refs/heads/main",
        "repo:acme/fares:environment:prod-plan",
        "repo:acme/fares:ref:refs/tags/release/v*",
        "repo:acme@1000001/fares@2000002:pull_request",
        "repo:acme@1000001/fares@2000002:ref:refs/heads/gh-readonly-queue/main/*",
        "repo:acme@1000001/fares@2000002:ref:refs/heads/main",
        "repo:acme@1000001/fares@2000002:environment:prod-plan",
        "repo:acme@1000001/fares@2000002:ref:refs/tags/release/v*",
      ]
      "prod publish" = [
        "repo:acme/fares:environment:prod",
        "repo:acme/fares:ref:refs/tags/release/v*",
        "repo:acme@1000001/fares@2000002:environment:prod",
        "repo:acme@1000001/fares@2000002:ref:refs/tags/release/v*",
      ]
      "prod deploy"   = ["repo:acme/fares:environment:prod", "repo:acme@1000001/fares@2000002:environment:prod"]
      "prod rollback" = ["repo:acme/fares:environment:prod", "repo:acme@1000001/fares@2000002:environment:prod"]
    }
    error_message = "Other jobs are let in: ${jsonencode(values(aws_iam_role.this)[*].assume_role_policy)}"
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals == { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" } && length(jsondecode(role.assume_role_policy).Statement) == 1])
    error_message = "A token for somebody else is taken."
  }

  # A plan changes nothing but its lock.
  assert {
    condition = alltrue(flatten([for each in flatten([for key in ["prod read", "prod lock"] : jsondecode(aws_iam_policy.this[key].policy).Statement]) : [
      for action in each.Action : can(regex(":(Batch)?(Get|Describe|List)", action)) || action == "kms:Decrypt" || contains(["LockState", "UseStatesKey"], each.Sid)
    ]]))
    error_message = "A plan may change something."
  }
  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["prod lock"].policy).Statement : each.Resource if contains(each.Action, "s3:PutObject")] == [["arn:aws:s3:::acme-terraform-444455556666/city-taxi/prod/aws.tfstate.tflock"]]
    error_message = "A plan may write a state."
  }
  assert {
    condition     = toset([for key, attachment in aws_iam_role_policy_attachment.this : key if startswith(key, "prod plan")]) == toset(["prod plan read", "prod plan lock"])
    error_message = "A plan has other policies."
  }

  # Only what has no resources, or none yet, is for every resource, and then under a condition where there is one.
  assert {
    condition = toset([for each in flatten([for policy in aws_iam_policy.this : jsondecode(policy.policy).Statement]) : each.Sid if each.Effect == "Allow" && contains(each.Resource, "*")]) == toset([
      "ReadListings", "LogInToRegistry", "FindOwn", "MakeKeys", "MakeWorkspace", "Subscriptions", "LogDeliveries",
    ])
    error_message = "A statement is for every resource."
  }
  assert {
    condition     = alltrue([for each in flatten([for policy in aws_iam_policy.this : jsondecode(policy.policy).Statement]) : !contains(["MakeKeys", "MakeWorkspace"], each.Sid) || try(each.Condition, null) == { StringEquals = { "aws:RequestTag/environment" = "prod" } }])
    error_message = "Something can be made without the environment's tag."
  }
  assert {
    condition     = alltrue(flatten([for each in flatten([for policy in aws_iam_policy.this : jsondecode(policy.policy).Statement]) : [for action in each.Action : each.Effect == "Deny" || (action != "*" && !endswith(action, ":*"))]]))
    error_message = "A whole service is allowed."
  }

  # MWAA with a key of the account's own takes these: it encrypts by grants, in the name of whoever makes it.
  assert {
    condition = [for each in jsondecode(aws_iam_policy.this["prod apply-data"].policy).Statement : each.Condition if contains(each.Action, "kms:CreateGrant")] == [{
      StringEquals = { "aws:ResourceTag/environment" = "prod" }
      Bool         = { "kms:GrantIsForAWSResource" = "true" }
    }]
    error_message = "Airflow's key cannot be used by MWAA, or by somebody else as well: ${aws_iam_policy.this["prod apply-data"].policy}"
  }
  # Another project's environment of this name in this account has secrets of its own.
  assert {
    condition = [for each in jsondecode(aws_iam_policy.this["prod apply-data"].policy).Statement : each.Resource if each.Sid == "Secrets"][0] == [
      for name in ["connections/mlops_prod*", "variables/mlops_prod*", "secrets/prod/*"] : "arn:aws:secretsmanager:eu-central-1:444455556666:secret:airflow/city-taxi-trip-fare-prod/${name}"
    ]
    error_message = "Other secrets can be changed than those that the root module makes: ${aws_iam_policy.this["prod apply-data"].policy}"
  }

  # Who deploys makes bounded roles, and cannot change what lets them in.
  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["prod apply-roles"].policy).Statement : each if contains(each.Action, "iam:CreateRole")][0].Condition == { StringEquals = { "iam:PermissionsBoundary" = "arn:aws:iam::444455556666:policy/github-city-taxi-trip-fare-prod-boundary" } }
    error_message = "A role can be made without the boundary."
  }
  assert {
    condition     = alltrue(flatten([for each in jsondecode(aws_iam_policy.this["prod apply-roles"].policy).Statement : [for arn in each.Resource : each.Effect == "Deny" || can(regex(":(role|policy)/city-taxi-trip-fare-prod-\\*$|:role/aws-service-role/", arn))]]))
    error_message = "Roles of others can be changed: ${aws_iam_policy.this["prod apply-roles"].policy}"
  }
  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["prod apply-roles"].policy).Statement : each.Resource if each.Sid == "NeverThemselves"][0] == ["arn:aws:iam::444455556666:role/github-*", "arn:aws:iam::444455556666:policy/github-*", "arn:aws:iam::444455556666:oidc-provider/*"]
    error_message = "GitHub's own roles can be changed."
  }
  assert {
    condition     = contains(keys(aws_iam_role_policy_attachment.this), "prod rollback keep") && !contains(keys(aws_iam_role_policy_attachment.this), "prod deploy keep") && contains(keys(aws_iam_role_policy_attachment.this), "prod rollback endpoint")
    error_message = "A rollback may destroy, or cannot move the endpoint."
  }
  assert {
    condition     = toset([for key in keys(aws_iam_role_policy_attachment.this) : key if startswith(key, "prod publish")]) == toset(["prod publish publish"]) && !strcontains(aws_iam_policy.this["prod publish"].policy, "iam:") && !strcontains(aws_iam_policy.this["prod publish"].policy, "Delete")
    error_message = "Who publishes may do more."
  }
  assert {
    condition     = toset([for action in flatten([for each in jsondecode(aws_iam_policy.boundary["prod"].policy).Statement : each.Action if each.Effect == "Allow"]) : action if action == "*" || startswith(action, "iam:")]) == toset(["iam:CreateServiceLinkedRole", "iam:PassRole"])
    error_message = "The boundary lets roles be made."
  }

  # AWS takes ten policies of a role.
  assert {
    condition     = alltrue([for role in keys(aws_iam_role.this) : length([for key in keys(aws_iam_role_policy_attachment.this) : key if startswith(key, "${role} ")]) <= 10])
    error_message = "A role has more policies than AWS takes."
  }
  assert {
    condition     = alltrue([for name in concat(values(aws_iam_role.this)[*].name, values(aws_iam_policy.this)[*].name) : startswith(name, "github-")])
    error_message = "A role lies within the prefix that deploying may change."
  }
}

run "environments_without_an_endpoint_and_with_things_of_their_own" {
  command = plan
  variables {
    create_provider    = false
    plan_pull_requests = false
    job_workflow_refs  = ["acme/mlops-config-action/.github/workflows/deploy.yml@refs/tags/v1*"]
    environments = {
      staging = {
        name             = "city-taxi-in-a-large-town-trip-fare-stag"
        publish_refs     = []
        state_key        = "city-taxi/staging/aws.tfstate"
        store            = "s3://acme-ml/configs"
        image_repository = "arn:aws:ecr:eu-west-1:111122223333:repository/acme/models"
        dags_folder      = "s3://acme-airflow/dags"
        airflow          = "acme-shared"
        secrets_prefix   = "acme/airflow"
      }
    }
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : length(role.name) <= 64])
    error_message = "Too long: ${jsonencode(values(aws_iam_role.this)[*].name)}"
  }
  assert {
    condition     = output.provider == "arn:aws:iam::444455556666:oidc-provider/token.actions.githubusercontent.com" && length(aws_iam_openid_connect_provider.github) == 0
    error_message = "A second identity provider is made."
  }
  assert {
    condition     = !contains(keys(aws_iam_policy.this), "staging endpoint") && length(aws_iam_role_policy_attachment.this) == length([for key in keys(aws_iam_role_policy_attachment.this) : key if !endswith(key, " endpoint")])
    error_message = "There is a policy for an endpoint, and no endpoint."
  }
  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["staging release"].policy).Statement : each.Resource if contains(["ReadAndWriteReleases", "WriteDeployment", "AskAirflow"], each.Sid)] == [["arn:aws:s3:::acme-ml/configs/*"], ["arn:aws:s3:::acme-airflow/dags/*"], ["arn:aws:airflow:eu-central-1:444455556666:role/acme-shared/Op"]]
    error_message = "Its own store, folder or Airflow is not used: ${aws_iam_policy.this["staging release"].policy}"
  }
  assert {
    condition = [
      for each in flatten([for name in ["publish", "read"] : jsondecode(aws_iam_policy.this["staging ${name}"].policy).Statement]) : each.Resource if contains(["PushImages", "ReadImages"], each.Sid)
    ] == [["arn:aws:ecr:eu-west-1:111122223333:repository/acme/models"], ["arn:aws:ecr:eu-west-1:111122223333:repository/acme/models"]]
    error_message = "Its own repository of images is not used: ${aws_iam_policy.this["staging publish"].policy}"
  }
  assert {
    condition = [for each in jsondecode(aws_iam_policy.this["staging read"].policy).Statement : each.Resource if each.Sid == "ReadConnection"][0] == [
      for kind in ["connections", "variables"] : "arn:aws:secretsmanager:eu-central-1:444455556666:secret:acme/airflow/${kind}/mlops_staging*"
    ]
    error_message = "Its secrets have another beginning: ${aws_iam_policy.this["staging read"].policy}"
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement[0].Condition.StringLike["token.actions.githubusercontent.com:job_workflow_ref"] == ["acme/mlops-config-action/.github/workflows/deploy.yml@refs/tags/v1*"] && !can(regex("pull_request|gh-readonly-queue", role.assume_role_policy))])
    error_message = "Any workflow, a pull request or a merge queue is let in."
  }
  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["staging state"].policy).Statement : each.Condition.StringLike if each.Sid == "UseStatesKey"] == [{ "kms:EncryptionContext:aws:s3:arn" = ["arn:aws:s3:::acme-terraform-444455556666", "arn:aws:s3:::acme-terraform-444455556666/*"] }]
    error_message = "The key decrypts other things than states: ${aws_iam_policy.this["staging state"].policy}"
  }
}

run "the_longest_names_fit" {
  command = plan
  variables {
    region = "us-gov-west-1"
    environments = {
      staging-for-the-tests-of-a-load = {
        name         = "city-taxi-in-a-large-town-trip-fare-stag"
        publish_refs = []
        state_key    = "city-taxi/staging/aws.tfstate"
        endpoint     = "city-taxi-in-a-large-town-trip-fare-with-surcharges-for-staging"
      }
    }
  }

  # What is left is for what else a policy comes to name.
  assert {
    condition     = alltrue([for policy in concat(values(aws_iam_policy.this), values(aws_iam_policy.boundary)) : length(policy.policy) <= 5600])
    error_message = "Too long: ${jsonencode({ for key, policy in aws_iam_policy.this : key => length(policy.policy) if length(policy.policy) > 5600 })}"
  }
}

run "a_policy_that_aws_would_refuse_is_none" {
  command = plan
  variables {
    environments = {
      dev = {
        name           = "city-taxi-trip-fare-dev"
        publish_refs   = []
        state_key      = "city-taxi/dev/aws.tfstate"
        secrets_prefix = join("/", [for _ in range(40) : "a-folder-of-folders"])
      }
    }
  }
  expect_failures = [aws_iam_policy.this]
}

run "a_trust_policy_that_needs_a_higher_quota_is_told_of" {
  command = plan
  variables {
    environments = {
      dev = {
        name         = "city-taxi-trip-fare-dev"
        publish_refs = [for number in range(20) : "refs/heads/a-branch-of-branches-${number}"]
        state_key    = "city-taxi/dev/aws.tfstate"
      }
    }
  }
  expect_failures = [check.trust_policies_fit]
}

run "wildcards_and_names_without_numbers_are_refused" {
  command = plan
  variables {
    account_id        = "prod"
    region            = "eu"
    repository        = { owner = "acme*", owner_id = "acme", name = "*", id = "0" }
    default_branch    = "*"
    job_workflow_refs = ["*"]
    state             = { bucket = "*" }
    environments = {
      Prod = { name = "prod", publish_refs = ["refs/*", "*"], state_key = "../other", store = "s3://acme-ml", secrets_prefix = "*" }
    }
    plan_environment_suffix = ""
  }
  expect_failures = [
    var.account_id, var.region, var.repository, var.default_branch, var.job_workflow_refs, var.state, var.environments,
    var.plan_environment_suffix,
  ]
}

run "two_environments_do_not_share_a_state" {
  command = plan
  variables {
    environments = {
      dev     = { name = "city-taxi-trip-fare-dev", publish_refs = [], state_key = "city-taxi/aws.tfstate" }
      staging = { name = "city-taxi-trip-fare-staging", publish_refs = [], state_key = "city-taxi/aws.tfstate" }
    }
  }
  expect_failures = [var.environments]
}

run "an_environment_in_capitals_is_refused" {
  command = plan
  variables {
    environments = {
      Dev = { name = "city-taxi-trip-fare-dev", publish_refs = [], state_key = "city-taxi/aws.tfstate" }
    }
  }
  expect_failures = [var.environments]
}

run "a_name_that_ends_with_a_dash_is_refused" {
  command = plan
  variables {
    environments = {
      dev = { name = "city-taxi-", publish_refs = [], state_key = "city-taxi/aws.tfstate" }
    }
  }
  expect_failures = [var.environments]
}

run "publishing_from_everywhere_is_refused" {
  command = plan
  variables {
    environments = {
      dev = { name = "city-taxi-trip-fare-dev", publish_refs = ["refs/heads/*"], state_key = "city-taxi/aws.tfstate" }
    }
  }
  expect_failures = [var.environments]
}

run "every_state_is_refused" {
  command = plan
  variables {
    environments = {
      dev = { name = "city-taxi-trip-fare-dev", publish_refs = [], state_key = "*.tfstate" }
    }
  }
  expect_failures = [var.environments]
}

run "a_repository_of_images_without_its_account_is_refused" {
  command = plan
  variables {
    environments = {
      dev = { name = "city-taxi-trip-fare-dev", publish_refs = [], state_key = "city-taxi/aws.tfstate", image_repository = "acme/models" }
    }
  }
  expect_failures = [var.environments]
}

run "a_whole_bucket_and_a_repository_without_numbers_are_refused" {
  command = plan
  variables {
    repository = { owner = "acme", owner_id = "acme", name = "city-taxi", id = "0" }

    environments = {
      dev = { name = "city-taxi-trip-fare-dev", publish_refs = [], state_key = "city-taxi/aws.tfstate", store = "s3://acme-ml" }
    }
  }
  expect_failures = [var.environments, var.repository]
}
