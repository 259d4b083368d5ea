variable "alerts" {
  type = any
}

variable "writes" {
  type = map(string)
}

variable "labels" {
  type = map(string)
}

locals {
  # Not references: "var.nothing" in a comment, and what a for expression calls its entries.
  rules = [for alert in values(var.alerts) : {
    alert = alert.name
    expr  = alert.expr
    "for" = alert.for
  }]
  group    = { name = "alerts", rules = local.rules }
  document = yamlencode({ groups = [local.group] })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Fixed", Effect = "Allow", Action = ["s3:ListBucket"], Resource = "arn:aws:s3:::acme" },
      {
        Sid      = "Write"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = [for uri in values(var.writes) : "arn:aws:s3:::${trimprefix(uri, "s3://")}*"]
      },
    ]
  })
}

resource "terraform_data" "document" {
  input = local.document
}

resource "terraform_data" "policy" {
  input = { policy = local.policy, labels = var.labels }
}

resource "terraform_data" "alert" {
  for_each = var.alerts

  input = { severity = each.value.severity, for = each.value.for }
}

output "count" {
  value = length(var.alerts)
}
