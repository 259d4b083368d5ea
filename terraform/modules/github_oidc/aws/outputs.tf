output "roles" {
  description = "ARNs of the roles by environment: plan, publish, deploy and rollback. The variables MLOPS_AWS_PLAN_ROLE and MLOPS_AWS_ROLE of GitHub's environments."
  value = { for environment in keys(var.environments) : environment => {
    for purpose in ["plan", "publish", "deploy", "rollback"] : purpose => aws_iam_role.this["${environment} ${purpose}"].arn
  } }
}

output "permissions_boundary" {
  description = "ARN of the policy that bounds every role an environment makes: permissions_boundary in its terraform.tfvars."
  value       = { for environment, policy in aws_iam_policy.boundary : environment => policy.arn }
}

output "provider" {
  description = "ARN of GitHub's identity provider."
  value       = local.provider
}

output "stores" {
  description = "Where the releases of each environment go, and its roles may write: MLOPS_STORE of GitHub's environments."
  value       = local.stores
}

output "images" {
  description = "The repository that the images of each environment are pushed to: MLOPS_IMAGE of GitHub's environments."
  value       = local.images
}
