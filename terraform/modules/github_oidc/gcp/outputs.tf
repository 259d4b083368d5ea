output "roles" {
  description = "E-mail addresses of the service accounts by environment: plan, publish, deploy and rollback."
  value = {
    for name in keys(var.environments) : name => {
      for kind in local.kinds : kind => local.emails["${name} ${kind}"]
    }
  }
  depends_on = [google_service_account.this]
}

output "members" {
  description = "The same as members of IAM policies, for writers and readers of store and images."
  value = {
    for name in keys(var.environments) : name => {
      for kind in local.kinds : kind => local.members["${name} ${kind}"]
    }
  }
  depends_on = [google_service_account.this]
}

output "provider" {
  description = "Resource name of the provider, for workload_identity_provider of google-github-actions/auth."
  value       = "${local.pool}/providers/github"
  depends_on  = [google_iam_workload_identity_pool_provider.github]
}

output "pool" {
  description = "Resource name of the pool, for a further use of this module in the same project."
  value       = local.pool
}
