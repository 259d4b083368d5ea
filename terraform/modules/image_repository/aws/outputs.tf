output "repository_url" {
  description = "Where images are pushed to (--image), without a tag."
  value       = aws_ecr_repository.this.repository_url
}

output "arn_or_id" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.this.arn
}
