locals {
  # Mail and https go through a topic of ours; Prometheus itself sends to topics and to PagerDuty.
  subscribers = { for each in flatten([
    for severity, receivers in var.receivers : [
      for receiver in receivers : {
        key      = "${severity} ${receiver.type} ${receiver.address}"
        severity = severity
        protocol = receiver.type
        address  = receiver.address
      } if contains(["email", "https"], receiver.type)
    ]
  ]) : each.key => each }

  topics = toset([for each in values(local.subscribers) : each.severity])

  targets = { for severity, receivers in var.receivers : severity => {
    topics = concat(
      contains(local.topics, severity) ? [local.topic_arns[severity]] : [],
      [for receiver in receivers : receiver.address if receiver.type == "sns"],
    )
    secrets = [for receiver in receivers : receiver.address if receiver.type == "pagerduty"]
  } }
  topic_arns = { for severity in local.topics : severity => "arn:${local.partition}:sns:${var.region}:${var.account_id}:${var.name}-${severity}" }

  subject = "[{{ .Status }}] {{ .CommonLabels.alertname }} in {{ .CommonLabels.environment }}"
  message = "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n{{ .Annotations.runbook_url }}\n\n{{ end }}"

  alert_manager = {
    route = {
      receiver        = "nobody"
      group_by        = ["alertname", "project", "model", "environment"]
      group_wait      = "30s"
      group_interval  = "5m"
      repeat_interval = "4h"
      routes = [for severity in keys(var.receivers) : {
        receiver = severity
        matchers = ["severity = \"${severity}\"", "environment = \"${var.environment}\""]
      }]
    }
    receivers = concat([{ name = "nobody" }], [for severity, target in local.targets : {
      name = severity
      sns_configs = [for arn in target.topics : {
        topic_arn     = arn
        sigv4         = { region = var.region }
        subject       = local.subject
        message       = local.message
        attributes    = { severity = severity, environment = var.environment }
        send_resolved = true
      }]
      pagerduty_configs = [for arn in target.secrets : {
        routing_key   = { aws_secrets_manager = { secret_arn = arn, refresh_interval = "5m" } }
        description   = local.subject
        severity      = severity == "page" ? "critical" : "warning"
        send_resolved = true
      }]
    }])
  }
}

resource "aws_prometheus_alert_manager_definition" "this" {
  count = local.makes_workspace ? 1 : 0

  workspace_id = local.workspace_id
  # A document within a document: that is its form.
  definition = yamlencode({ alertmanager_config = yamlencode(local.alert_manager) })

  depends_on = [aws_sns_topic_policy.this]

  lifecycle {
    precondition {
      condition     = length(var.receivers) == 0 || length(setsubtract([for alert in values(var.alerts) : alert.severity], [for severity, receivers in var.receivers : severity if length(receivers) > 0])) == 0
      error_message = "An alert has a severity that nobody receives; there are receivers for: ${join(", ", keys(var.receivers))}."
    }
  }
}

resource "aws_sns_topic" "this" {
  for_each = local.topics

  name              = "${var.name}-${each.key}"
  kms_master_key_id = local.key_arn
  signature_version = 2
  tags              = local.tags
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.topics

  arn = aws_sns_topic.this[each.key].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "PrometheusPublishes"
        Effect    = "Allow"
        Principal = { Service = "aps.amazonaws.com" }
        Action    = ["sns:GetTopicAttributes", "sns:Publish"]
        Resource  = [local.topic_arns[each.key]]
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.workspace_arn }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["sns:Publish"]
        Resource  = [local.topic_arns[each.key]]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "this" {
  for_each = local.subscribers

  topic_arn = aws_sns_topic.this[each.value.severity].arn
  protocol  = each.value.protocol
  endpoint  = each.value.address
}

check "somebody_is_told" {
  assert {
    condition     = !local.makes_workspace || length(var.alerts) == 0 || length(var.receivers) > 0
    error_message = "Nobody is told when one of the ${length(var.alerts)} alerts fires: there are no receivers."
  }
}
