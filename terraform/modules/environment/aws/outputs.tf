output "airflow_url" {
  description = "Airflow as mlops-config takes it, mwaa://<name>. Null: yours, as the settings say."
  value       = one(module.airflow[*].url)
}

output "dags_folder" {
  description = "Where mlops-config deploy writes releases for Airflow. Null: yours, as the settings say."
  value       = one(module.airflow[*].dags_folder)
}

output "webserver_url" {
  description = "Airflow's pages, for people."
  value       = one(module.airflow[*].webserver_url)
}

output "store_uri" {
  description = "The store as mlops-config takes it."
  value       = local.store_uri
}

output "image_repository" {
  description = "Where images are pushed to. Null: a repository of yours."
  value       = one(module.image_repository[*].repository_url)
}

output "execution_role" {
  description = "ARN of the role that SageMaker starts the endpoint with. Null without an endpoint on AWS."
  value       = module.model_endpoint_roles.execution_role
}

output "job_policies" {
  description = "ARNs of the policies for what runs the jobs: attach them where Airflow is yours."
  value       = module.model_endpoint_roles.job_policies
}

output "airflow_role" {
  description = "ARN of the role of MWAA and of the jobs on it."
  value       = one(module.airflow[*].execution_role)
}

output "prometheus" {
  description = "Where series are written to and asked for. Null: yours."
  value       = one(module.monitoring[*].endpoint)
}

output "secrets_to_fill" {
  description = "Secrets of Secrets Manager that people fill, by the names in the files."
  value       = try(module.airflow[0].secrets, {})
}
