# Lets the workflows of one GitHub repository in, without keys: a workload identity pool that trusts GitHub's tokens, and
# for each environment four service accounts that a workflow becomes: plan (reads), publish (writes images and releases),
# deploy (applies), rollback (applies and removes nothing). The provider takes tokens of the repository's and the owner's
# numbers only: so both forms of GitHub's `sub`, repo:OWNER/REPO:… and repo:OWNER@ID/REPO@ID:…, are let in, and nobody
# who takes over a name. `sub` itself decides nothing. Who a run may become follows from other claims, and each of those
# attributes begins with the repository's number, so that a second repository in the same pool gains nothing here.
#
# Google Cloud's wall is the project. Its conditions know buckets and secrets by name, and service accounts not: deploy
# may act as each service account of its project, and change who may. So give each environment a project of its own, and
# use Google's default service accounts, which may be editors, for nothing.

locals {
  # At least 4 letters.
  pool_id = length(var.name) < 4 ? "${var.name}-github" : var.name
  pool    = var.create_provider ? google_iam_workload_identity_pool.github[0].name : var.pool
  labels  = join(" ", [for key, value in var.labels : "${key}=${value}"])

  # In Google's expression language (CEL). A job without a GitHub environment has no such claim at all.
  environment = "(has(assertion.environment) ? assertion.environment : '')"
  # A pull request may name a GitHub environment too, and pull_request_target has the base branch as its ref. So events
  # are named: those that run what is in the repository.
  own_event = "assertion.event_name in ['push', 'schedule', 'workflow_dispatch', 'repository_dispatch']"
  publishes = join(" : ", concat(
    [for name, each in var.environments : format(
      "%s == '%s' && assertion.ref.matches('^(%s)$') ? '%s'", local.environment, name, join("|", each.publish_refs), name
    ) if length(each.publish_refs) > 0],
    ["''"],
  ))
  own_refs = distinct(concat(["refs/heads/${replace(var.default_branch, ".", "[.]")}"], flatten([for each in values(var.environments) : each.publish_refs])))
  plans = join(" : ", [
    # A merge queue tries what a pull request brings, before it is merged.
    "assertion.event_name in ['pull_request', 'merge_group'] ? 'pull_request'",
    "${local.own_event} && assertion.ref.matches('^(${join("|", local.own_refs)})$') ? 'own_ref'",
    "''",
  ])

  kinds = ["plan", "publish", "deploy", "rollback"]
  accounts = {
    for pair in setproduct(keys(var.environments), local.kinds) :
    "${pair[0]} ${pair[1]}" => { environment = pair[0], kind = pair[1] }
  }

  # At most 30 letters: a long name keeps its begin and gets a digest.
  account_ids = {
    for key, each in local.accounts : key => (
      length("${var.name}-${each.environment}-${each.kind}") <= 30
      ? "${var.name}-${each.environment}-${each.kind}"
      : "${trimsuffix(substr(var.name, 0, 14), "-")}-${substr(sha256("${var.name}-${each.environment}"), 0, 6)}-${each.kind}"
    )
  }
  # Written out, not taken from the resource: so a plan shows who is meant before the account is there.
  emails  = { for key, id in local.account_ids : key => "${id}@${var.project_id}.iam.gserviceaccount.com" }
  members = { for key, email in local.emails : key => "serviceAccount:${email}" }

  # Attribute and value that a run must have to become an account.
  entries = merge([
    for name in keys(var.environments) : merge(
      {
        "${name} publish"          = { account = "${name} publish", attribute = "publishes", value = name }
        "${name} deploy"           = { account = "${name} deploy", attribute = "runs_in", value = name }
        "${name} rollback"         = { account = "${name} rollback", attribute = "runs_in", value = name }
        "${name} plan"             = { account = "${name} plan", attribute = "runs_in", value = name }
        "${name} plan of its own"  = { account = "${name} plan", attribute = "runs_in", value = "${name}-plan" }
        "${name} plan of own refs" = { account = "${name} plan", attribute = "plans", value = "own_ref" }
      },
      var.plan_pull_requests ? {
        "${name} plan of pull requests" = { account = "${name} plan", attribute = "plans", value = "pull_request" }
      } : {},
    )
  ]...)
}

resource "google_iam_workload_identity_pool" "github" {
  count = var.create_provider ? 1 : 0

  project                   = var.project_id
  workload_identity_pool_id = local.pool_id
  display_name              = var.name
  description               = substr("Workflows of ${var.repository.owner}/${var.repository.name}. ${local.labels}", 0, 256)
}

resource "google_iam_workload_identity_pool_provider" "github" {
  #checkov:skip=CKV_GCP_125:it looks for assertion.sub; here the repository's and the owner's numbers are named, which hold for both forms of sub
  count = var.create_provider ? 1 : 0

  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "GitHub Actions"
  description                        = "Tokens of ${var.repository.owner}/${var.repository.name} only."

  attribute_condition = join(" && ", concat(
    [
      "assertion.repository_id == '${var.repository.id}'",
      "assertion.repository_owner_id == '${var.repository.owner_id}'",
    ],
    length(var.job_workflow_refs) == 0 ? [] : ["assertion.job_workflow_ref.matches('^(${join("|", var.job_workflow_refs)})$')"],
  ))
  attribute_mapping = {
    # What audit logs show: the run. `sub` may be longer than the 127 bytes that fit here.
    "google.subject"                = "'repository:' + assertion.repository_id + ':run:' + assertion.run_id"
    "attribute.repository_id"       = "assertion.repository_id"
    "attribute.repository_owner_id" = "assertion.repository_owner_id"
    "attribute.ref"                 = "assertion.ref"
    "attribute.event_name"          = "assertion.event_name"
    "attribute.environment"         = local.environment
    "attribute.runs_in"             = "assertion.repository_id + ':' + (${local.own_event} ? ${local.environment} : '')"
    "attribute.publishes"           = "assertion.repository_id + ':' + (assertion.event_name in ['push', 'workflow_dispatch'] ? (${local.publishes}) : '')"
    "attribute.plans"               = "assertion.repository_id + ':' + (${local.plans})"
  }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = var.project_id
  account_id   = local.account_ids[each.key]
  display_name = "GitHub: ${each.value.kind} ${each.value.environment} of ${var.name}"
  description  = substr("Workflows of ${var.repository.owner}/${var.repository.name}. ${local.labels}", 0, 256)
}

resource "google_service_account_iam_member" "github" {
  for_each = local.entries

  service_account_id = google_service_account.this[each.value.account].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${local.pool}/attribute.${each.value.attribute}/${var.repository.id}:${each.value.value}"
}
