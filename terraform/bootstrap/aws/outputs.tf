output "backend" {
  description = "What backend.hcl of each environment says."
  value = { for environment, each in var.environments : environment => {
    bucket       = module.state.bucket
    key          = each.state_key
    region       = var.region
    use_lockfile = true # and no `encrypt`, which asks S3 for AES256: the bucket's own key encrypts
  } }
}

output "permissions_boundary" {
  description = "For terraform.tfvars of each environment."
  value       = module.github_oidc.permissions_boundary
}

output "roles" {
  description = "The roles of each environment."
  value       = module.github_oidc.roles
}

output "github_variables" {
  description = "Variables of each GitHub environment, by its name, and of the one that its plans are made in."
  value = { for environment, roles in module.github_oidc.roles : environment => {
    MLOPS_AWS_PLAN_ROLE     = roles.plan
    MLOPS_AWS_PUBLISH_ROLE  = roles.publish
    MLOPS_AWS_ROLE          = roles.deploy
    MLOPS_AWS_ROLLBACK_ROLE = roles.rollback
    MLOPS_AWS_REGION        = var.region
    MLOPS_REGISTRY          = split("/", module.github_oidc.images[environment])[0]
    MLOPS_IMAGE             = module.github_oidc.images[environment]
    MLOPS_STORE             = module.github_oidc.stores[environment]
  } }
}
