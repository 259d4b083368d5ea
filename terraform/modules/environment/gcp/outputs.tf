output "airflow_url" {
  description = "Airflow's address, as mlops-config takes it. null: yours, as the settings say."
  value       = one(module.airflow[*].url)
}

output "dags_folder" {
  description = "Where mlops-config deploy writes releases for Airflow. null: yours, as the settings say."
  value       = one(module.airflow[*].dags_folder)
}

output "store_uri" {
  description = "The store as mlops-config takes it."
  value       = local.store_uri
}

output "image_repository" {
  description = "Where images are pushed to. null: a repository of yours."
  value       = one(module.image_repository[*].repository_url)
}

output "execution_role" {
  description = "E-mail address of the service account that Vertex AI starts the server with: deployer.service_account."
  value       = module.model_endpoint_roles.execution_role
}

output "airflow_service_account" {
  description = "E-mail address of the service account of Airflow and its jobs. null: yours."
  value       = one(module.airflow[*].service_account)
}

output "prometheus" {
  description = "Where series are asked for. null: yours."
  value       = one(module.monitoring[*].endpoint)
}

output "secrets_to_fill" {
  description = "Secrets of Secret Manager that people fill, by the names in the files."
  value       = var.airflow == null ? {} : module.airflow[0].secrets
}
