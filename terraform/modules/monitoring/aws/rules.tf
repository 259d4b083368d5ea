locals {
  group = "${var.project}.${var.model_name}.${var.environment}"

  # What records from what is recorded comes last: a group's rules are evaluated in their order.
  derived = [
    for record, expr in var.recording_rules : record
    if anytrue([for other in keys(var.recording_rules) : other != record && strcontains(expr, "${other}{")])
  ]
  records_in_order = concat(
    [for record in keys(var.recording_rules) : record if !contains(local.derived, record)],
    local.derived,
  )

  recording_group = {
    name = "${local.group}.recording"
    rules = [for record in local.records_in_order : {
      record = record
      expr   = var.recording_rules[record]
      labels = { project = var.project, model = var.model_name, environment = var.environment }
    }]
  }

  alerts_group = {
    name = "${local.group}.alerts"
    rules = [for alert in values(var.alerts) : { for key, value in {
      alert  = alert.name
      expr   = alert.expr
      "for"  = alert.for == "0s" ? null : alert.for
      labels = alert.labels
      annotations = { for name, text in {
        summary     = alert.summary
        description = alert.description
        runbook_url = alert.runbook_url
      } : name => text if text != null }
    } : key => value if value != null }]
  }

  rule_groups = [for group in [local.recording_group, local.alerts_group] : group if length(group.rules) > 0]
}
