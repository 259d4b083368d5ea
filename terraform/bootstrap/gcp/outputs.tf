output "backend" {
  description = "What backend.hcl of each environment says."
  value       = { for environment in keys(var.environments) : environment => { bucket = module.state.bucket, prefix = "${var.name}/${environment}" } }
}

output "workflows" {
  description = "For terraform.tfvars of each environment."
  value       = module.github_oidc.members
}

output "roles" {
  description = "E-mail addresses of the accounts of each environment."
  value       = module.github_oidc.roles
}

output "provider" {
  description = "Resource name of the provider that GitHub's tokens are exchanged at."
  value       = module.github_oidc.provider
}

output "github_variables" {
  description = "Variables of each GitHub environment, by its name, and of the one that its plans are made in. Store and image only where the environment's name or yours are given."
  value = { for environment, roles in module.github_oidc.roles : environment => merge({
    MLOPS_GCP_PROVIDER                 = module.github_oidc.provider
    MLOPS_GCP_PLAN_SERVICE_ACCOUNT     = roles.plan
    MLOPS_GCP_PUBLISH_SERVICE_ACCOUNT  = roles.publish
    MLOPS_GCP_SERVICE_ACCOUNT          = roles.deploy
    MLOPS_GCP_ROLLBACK_SERVICE_ACCOUNT = roles.rollback
    MLOPS_REGISTRY                     = "${local.images.region}-docker.pkg.dev"
    }, { for name, value in {
      MLOPS_STORE = local.stores[environment]
      MLOPS_IMAGE = local.image_names[environment]
  } : name => value if value != null }) }
}
