output "url" {
  description = "The environment as mlops-config takes it (--airflow, MLOPS_AIRFLOW_URL)."
  value       = "mwaa://${aws_mwaa_environment.this.name}"
}

output "dags_folder" {
  description = "Where mlops-config deploy writes to (--dags-folder, MLOPS_DAGS_FOLDER)."
  value       = "s3://${local.bucket}/dags"
}

output "execution_role" {
  description = "ARN of the role of Airflow and of the jobs on its workers."
  value       = aws_iam_role.execution.arn
}

output "arn_or_id" {
  description = "ARN of the MWAA environment."
  value       = aws_mwaa_environment.this.arn
}

output "webserver_url" {
  description = "Where people find Airflow's pages."
  value       = "https://${aws_mwaa_environment.this.webserver_url}"
}

output "encryption_key" {
  description = "ARN of the KMS key of bucket, secrets, logs and environment."
  value       = local.key_arn
}

output "secrets" {
  description = "Names in Secrets Manager that people fill, by the names in the files."
  value       = { for name in local.kept : name => aws_secretsmanager_secret.filled_by_people[name].name }
}
