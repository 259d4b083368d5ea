# GitHub Actions without stored keys: for each environment four roles, each for one kind of job. `plan` reads, and is for
# pull requests and merge queues too; `publish` adds releases and images; `deploy` applies the root module and tells
# Airflow; `rollback` does the same, moves the endpoint, and can destroy nothing. Only the one repository is let in, by
# its name and by its numbers: both forms of `sub` that GitHub sends. Applying can make roles for the environment's own
# services only, with its prefix and under a boundary that is made here, so that nobody who deploys can give themselves
# more. These roles are named github-…, outside of every prefix they may change. An administrator applies this:
# bootstrap/aws.

locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"
  issuer    = "token.actions.githubusercontent.com"
  # Written out, so that a plan shows whom a role trusts before anything is made.
  provider = "arn:${local.partition}:iam::${var.account_id}:oidc-provider/${local.issuer}"

  # GitHub sends the second form for repositories made, renamed or transferred since 15 July 2026.
  repositories = [
    "repo:${var.repository.owner}/${var.repository.name}",
    "repo:${var.repository.owner}@${var.repository.owner_id}/${var.repository.name}@${var.repository.id}",
  ]

  # What comes after the repository in `sub`: a job in a GitHub environment says that, whatever its ref.
  contexts = { for environment, each in var.environments : environment => {
    plan = concat(
      # A merge queue runs on a branch of its own for each group of pull requests.
      var.plan_pull_requests ? ["pull_request", "ref:refs/heads/gh-readonly-queue/${var.default_branch}/*"] : [],
      ["ref:refs/heads/${var.default_branch}", "environment:${environment}${var.plan_environment_suffix}"],
      [for ref in each.publish_refs : "ref:${ref}"],
    )
    publish  = concat(["environment:${environment}"], [for ref in each.publish_refs : "ref:${ref}"])
    deploy   = ["environment:${environment}"]
    rollback = ["environment:${environment}"]
  } }

  # Every role by "<environment> <purpose>".
  roles = merge([for environment, each in var.environments : { for purpose, contexts in local.contexts[environment] : "${environment} ${purpose}" => {
    environment = environment
    purpose     = purpose
    name        = "github-${each.name}-${purpose}"
    subjects    = distinct(flatten([for repository in local.repositories : [for context in contexts : "${repository}:${context}"]]))
  } }]...)

  trust = { for key, role in local.roles : key => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.provider }
      Condition = {
        StringEquals = { "${local.issuer}:aud" = "sts.amazonaws.com" }
        # A * stands only at the end of a tag or branch of this repository, or of its merge queue's branches: here and the
        # variables see to it.
        StringLike = { for claim, allowed in {
          "${local.issuer}:sub"              = role.subjects
          "${local.issuer}:job_workflow_ref" = var.job_workflow_refs
        } : claim => allowed if length(allowed) > 0 }
      }
    }]
  }) }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_provider ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.labels
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = each.value.name
  description          = "GitHub Actions: ${each.value.purpose} ${each.value.environment}."
  max_session_duration = contains(["deploy", "rollback"], each.value.purpose) ? 7200 : 3600 # a new Airflow takes half an hour
  tags                 = merge(var.labels, { environment = each.value.environment })
  assume_role_policy   = local.trust[each.key]

  depends_on = [aws_iam_openid_connect_provider.github]
}

# A warning, no refusal: AWS raises this quota for whoever asks.
check "trust_policies_fit" {
  assert {
    condition     = alltrue([for document in local.trust : length(document) <= 2048])
    error_message = "AWS takes 2048 letters of a trust policy unless the account's quota was raised (up to 4096), and there are ${join(", ", [for key, document in local.trust : "${length(document)} of ${local.roles[key].name}" if length(document) > 2048])}: give fewer publish_refs or job_workflow_refs, or have the quota raised before this is applied."
  }
}

locals {
  # Which policies a role has, by the name of each.
  policies_of = {
    plan     = ["read", "lock"]
    publish  = ["publish"]
    deploy   = ["read", "state", "release", "apply-data", "apply-network", "apply-services", "apply-roles"]
    rollback = ["read", "state", "release", "endpoint", "apply-data", "apply-network", "apply-services", "apply-roles", "keep"]
  }
  attachments = merge([for key, role in local.roles : { for policy in local.policies_of[role.purpose] : "${key} ${policy}" => {
    role   = key
    policy = "${role.environment} ${policy}"
  } if contains(keys(local.policies), "${role.environment} ${policy}") }]...)

  # Every policy with something in it, by "<environment> <name>".
  policies = merge([for environment, each in var.environments : { for name, statements in {
    read             = local.read_statements[environment]
    lock             = local.lock_statements[environment]
    state            = local.state_statements[environment]
    publish          = local.publish_statements[environment]
    release          = local.release_statements[environment]
    endpoint         = local.endpoint_statements[environment]
    "apply-data"     = local.apply_data_statements[environment]
    "apply-network"  = local.apply_network_statements[environment]
    "apply-services" = local.apply_service_statements[environment]
    "apply-roles"    = local.apply_role_statements[environment]
    keep             = local.keep_statements[environment]
    } : "${environment} ${name}" => {
    name     = "github-${each.name}-${name}"
    document = jsonencode({ Version = "2012-10-17", Statement = [for statement in statements : statement if length(statement.Resource) > 0] })
  } if length(flatten([for statement in statements : statement.Resource])) > 0 }]...)
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name   = each.value.name
  policy = each.value.document
  tags   = merge(var.labels, { environment = split(" ", each.key)[0] })

  lifecycle {
    precondition {
      condition     = length(each.value.document) <= 6144
      error_message = "${each.value.name} has ${length(each.value.document)} letters, and AWS takes 6144: give what is yours (endpoint, store, secrets_prefix and so on) shorter names."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.attachments

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = aws_iam_policy.this[each.value.policy].arn
}
