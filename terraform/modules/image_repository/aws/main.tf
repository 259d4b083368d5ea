# A repository for one environment's images. A tag, once there, is that image for good; so is every release, which
# carries the tag of its commit (and of its version) from the moment it is pushed. That is why the lifecycle takes
# untagged images only: what an environment runs always has a tag, however old it is, and ECR keeps the parts of an
# image for several platforms as long as the image. Nobody deletes an image by hand while this policy stands. A new
# build of the same commit, such as one on a newer base, needs a commit of its own.

locals {
  tags     = merge(var.labels, { Name = var.name, environment = var.environment })
  everyone = distinct(concat(var.writers, var.readers))

  pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
  push = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
}

resource "aws_ecr_repository" "this" {
  name                 = var.repository_name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = false
  tags                 = local.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.encryption_key
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Images without a tag expire; tagged ones never do"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = var.untagged_days
        }
        action = { type = "expire" }
      },
    ]
  })
}

# A repository's policy has no Resource: it is the repository's own.
resource "aws_ecr_repository_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "NothingIsDeleted"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["ecr:BatchDeleteImage"]
        },
      ],
      [for arns in [local.everyone] : {
        Sid       = "Pull"
        Effect    = "Allow"
        Principal = { AWS = arns }
        Action    = local.pull
      } if length(arns) > 0],
      [for arns in [distinct(var.writers)] : {
        Sid       = "Push"
        Effect    = "Allow"
        Principal = { AWS = arns }
        Action    = local.push
      } if length(arns) > 0],
    )
  })
}
