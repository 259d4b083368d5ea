output "repository_url" {
  description = "Where images are pushed to, without a tag: registry, project, repository and the image's own name."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${var.repository_name}/${var.repository_name}"
  depends_on  = [google_artifact_registry_repository.this]
}

output "arn_or_id" {
  description = "Resource name of the repository, projects/P/locations/L/repositories/R."
  value       = "projects/${var.project_id}/locations/${var.region}/repositories/${var.repository_name}"
  depends_on  = [google_artifact_registry_repository.this]
}
