output "uri" {
  description = "The store as mlops-config takes it (--store, MLOPS_STORE)."
  value       = trimsuffix("gs://${var.bucket_name}/${var.prefix}", "/")
  depends_on  = [google_storage_bucket.this]
}

output "bucket" {
  description = "Name of the bucket."
  value       = var.bucket_name
  depends_on  = [google_storage_bucket.this]
}

output "arn_or_id" {
  description = "Resource name of the bucket, as IAM conditions name it."
  value       = "projects/_/buckets/${var.bucket_name}"
  depends_on  = [google_storage_bucket.this]
}

output "encryption_key" {
  description = "Cloud KMS key that encrypts the objects; Cloud Storage's service agent may use it."
  value       = local.encryption_key
  depends_on  = [google_kms_crypto_key_iam_member.storage]
}
