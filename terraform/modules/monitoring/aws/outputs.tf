output "endpoint" {
  description = "Where series are written to (…api/v1/remote_write) and asked for (…api/v1/query), signed for the service aps."
  value       = "https://aps-workspaces.${var.region}.amazonaws.com/workspaces/${local.workspace_id}/"
}

output "workspace_id" {
  description = "Id of the workspace."
  value       = local.workspace_id
}

output "notification" {
  description = "ARNs of the topics made here, by severity."
  value       = { for severity, topic in aws_sns_topic.this : severity => topic.arn }
}

output "remote_write_policy" {
  description = "ARN of the policy for the agent that writes series. Null for a workspace of yours."
  value       = one(aws_iam_policy.remote_write[*].arn)
}
