output "execution_role" {
  description = "ARN of the role that SageMaker starts the endpoint with: the value of deployer.role. Null without an endpoint."
  value       = one(aws_iam_role.execution[*].arn)
}

output "jobs_policy" {
  description = "ARN of the policy to attach to what runs the jobs. Null where there is nothing in AWS to read, write or deploy."
  value       = one(aws_iam_policy.jobs[*].arn)
}

output "has_jobs_policy" {
  description = "Whether there is such a policy; known while its ARN is not, for a count."
  value       = length(local.jobs_statements) > 0
}
