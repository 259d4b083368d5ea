output "execution_role" {
  description = "E-mail address of the service account, for `deployer.service_account` of the inference file."
  value       = google_service_account.model.email
}

output "member" {
  description = "The same as a member of IAM policies."
  value       = google_service_account.model.member
}
