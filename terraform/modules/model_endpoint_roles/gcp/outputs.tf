output "execution_role" {
  description = "E-mail address of the service account, for `deployer.service_account` of the inference file."
  value       = local.email
  depends_on  = [google_service_account.model]
}

output "member" {
  description = "The same as a member of IAM policies: for the store's readers."
  value       = local.member
  depends_on  = [google_service_account.model]
}
