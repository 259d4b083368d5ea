output "uri" {
  description = "The store as mlops-config takes it (--store, MLOPS_STORE)."
  value       = trimsuffix("s3://${aws_s3_bucket.this.bucket}/${var.prefix}", "/")
}

output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "arn_or_id" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "encryption_key" {
  description = "ARN of the KMS key that encrypts the objects."
  value       = local.key_arn
}
