output "url" {
  description = "Airflow's address, for `mlops-config deploy --airflow`."
  value       = local.url
}

output "dags_folder" {
  description = "The DAG folder, for `mlops-config deploy --dags-folder`."
  value       = local.dags_folder
  depends_on  = [google_composer_environment.this]
}

output "service_account" {
  description = "E-mail address of the service account that Airflow and its jobs run as."
  value       = local.email
  depends_on  = [google_service_account.airflow]
}

output "member" {
  description = "The same as a member of IAM policies: for the store's writers and the models' job_runners."
  value       = local.member
  depends_on  = [google_service_account.airflow]
}

output "connection" {
  description = "Name of the environment's Connection in Airflow."
  value       = local.connection
}

output "secrets" {
  description = "Names in Secret Manager that people fill, by the names in the files."
  value       = { for name, secret in google_secret_manager_secret.filled_by_people : name => secret.secret_id }
}
