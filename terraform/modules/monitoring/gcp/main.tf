# The configuration's alerts as alerting policies of Cloud Monitoring, over metrics in Managed Service for Prometheus:
# one policy for each alert, with the query, duration (a day at most), labels and texts that `mlops-config rules` writes.
# Cloud Monitoring records nothing, so queries come with recording rules written out. Who is told goes by severity.
# There is nothing to run: metrics arrive through a collector (Ops Agent, Managed Collection, OpenTelemetry), and
# endpoint answers PromQL, for Grafana and `mlops-config`.

locals {
  user_labels = merge(var.labels, { environment = var.environment })
  rule_group  = "${var.project}.${var.model_name}.${var.environment}.alerts"

  # Prometheus puts a value where {{ … $value … }} is. Cloud Monitoring has no such thing for texts: its incident shows
  # the value beside them. {{ "{{" }} stands for two braces.
  descriptions = {
    for key, alert in var.alerts : key => replace(
      replace(alert.description, "/\\{\\{[^{}]*\\$value[^{}]*\\}\\}/", "as the incident shows"),
      "/\\{\\{ \"\\{\\{\" \\}\\}/", "{{",
    )
  }
  summaries = {
    for key, alert in var.alerts : key => replace(
      replace(alert.summary, "/\\{\\{[^{}]*\\$value[^{}]*\\}\\}/", "as the incident shows"),
      "/\\{\\{ \"\\{\\{\" \\}\\}/", "{{",
    )
  }

  # What of an expression names a recording rule, and nothing that merely begins or ends alike.
  leftovers = {
    for key, alert in var.alerts : key => [
      for record in keys(var.recording_rules) : record if can(regex("(^|[^A-Za-z0-9_:])${record}([^A-Za-z0-9_:]|$)", alert.query))
    ]
  }

  severities = { page = "CRITICAL", ticket = "WARNING" }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = var.alerts

  project      = var.project_id
  display_name = "${each.key} (${var.environment})"
  combiner     = "OR"
  severity     = local.severities[each.value.severity]
  user_labels  = merge(local.user_labels, { alert = substr(lower(replace(each.key, "/[^A-Za-z0-9_-]/", "_")), 0, 63) })

  conditions {
    display_name = substr(local.summaries[each.key], 0, 512)

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "${min(local.seconds[each.key], local.longest)}s"
      evaluation_interval = "60s"
      labels              = each.value.labels
      rule_group          = local.rule_group
      # Has to be the name of a label, and those have no dashes.
      alert_rule = replace(each.value.name, "/[^A-Za-z0-9_]/", "_")
      # Before the first run of a job its metrics are not known, and the policy would be refused.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = substr("[${each.value.severity}] ${local.summaries[each.key]}", 0, 255)
    content   = substr(join(" ", compact([local.descriptions[each.key], local.hurried[each.key]])), 0, 8192)

    dynamic "links" {
      for_each = each.value.runbook_url == null ? [] : [each.value.runbook_url]

      content {
        display_name = "Runbook"
        url          = links.value
      }
    }
  }

  alert_strategy {
    auto_close           = "86400s"
    notification_prompts = ["OPENED", "CLOSED"]
  }

  notification_channels = [
    for receiver in lookup(var.receivers, each.value.severity, []) :
    receiver.type == "channel" ? receiver.address : google_monitoring_notification_channel.receiver["${receiver.type} ${receiver.address}"].name
  ]

  lifecycle {
    precondition {
      condition     = length(local.leftovers[each.key]) == 0
      error_message = "The query of ${each.key} relies on ${join(", ", local.leftovers[each.key])}, which nothing records here: give it written out, as `mlops-config deploy` does in release.auto.tfvars.json."
    }
  }
}
