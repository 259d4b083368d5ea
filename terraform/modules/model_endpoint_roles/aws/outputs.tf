output "execution_role" {
  description = "ARN of the role that SageMaker starts the endpoint with: the value of deployer.role. Null without an endpoint."
  value       = one(aws_iam_role.execution[*].arn)
}

output "job_policies" {
  description = "ARNs of the policies to attach to what runs the jobs: data and endpoint, each where there is one. The keys are known before anything is made."
  value = merge(
    { for policy in aws_iam_policy.data : "data" => policy.arn },
    { for policy in aws_iam_policy.endpoint : "endpoint" => policy.arn },
  )
}
