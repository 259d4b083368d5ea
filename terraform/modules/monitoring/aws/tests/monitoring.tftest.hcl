mock_provider "aws" {
  mock_resource "aws_prometheus_workspace" {
    defaults = {
      id = "ws-0a1b2c3d-0000-1111-2222-333344445555"
    }
  }
  mock_resource "aws_kms_key" {
    defaults = {
      arn = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-central-1:444455556666:log-group:/aws/vendedlogs/prometheus/city-taxi-trip-fare-prod"
    }
  }
}

variables {
  name        = "city-taxi-trip-fare-prod"
  environment = "prod"
  labels      = { team = "fares" }
  account_id  = "444455556666"
  region      = "eu-central-1"
  project     = "city-taxi"
  model_name  = "trip-fare"
  recording_rules = {
    "fares:availability:percent_5m" = "100 * avg_over_time(fares:server:up{environment=\"prod\"}[5m])"
    "fares:server:up"               = "clamp_max(count(fares_serving_info), 1) or vector(0)"
  }
  alerts = {
    fare-availability = {
      name        = "fare-availability"
      expr        = "min(fares:availability:percent_5m) < 99.9"
      "for"       = "5m"
      severity    = "page"
      labels      = { severity = "page", signal = "availability" }
      summary     = "the server does not answer"
      description = "Only {{ $value }} %."
      runbook_url = "https://runbooks.example.com/fares"
    }
    fare-silent-absent = {
      name        = "fare-silent"
      expr        = "absent(fares_job_last_success_timestamp_seconds)"
      "for"       = "0s"
      severity    = "ticket"
      labels      = { severity = "ticket" }
      summary     = "nothing runs"
      description = "No success is known."
      runbook_url = null
    }
  }
  receivers = {
    page = [
      { type = "email", address = "on-call@example.com" },
      { type = "pagerduty", address = "arn:aws:secretsmanager:eu-central-1:444455556666:secret:pager-fares-AbCdEf" },
    ]
    ticket = [
      { type = "https", address = "https://tickets.example.com/fares" },
      { type = "sns", address = "arn:aws:sns:eu-central-1:444455556666:tickets" },
    ]
  }
}

run "rules_and_routing_are_those_of_the_configuration" {
  command = apply

  # The rules are what `mlops-config rules` writes, in an order in which each sees what it is made of.
  assert {
    condition = yamldecode(aws_prometheus_rule_group_namespace.this.data).groups == [
      {
        name = "city-taxi.trip-fare.prod.recording"
        rules = [
          {
            record = "fares:server:up"
            expr   = "clamp_max(count(fares_serving_info), 1) or vector(0)"
            labels = { project = "city-taxi", model = "trip-fare", environment = "prod" }
          },
          {
            record = "fares:availability:percent_5m"
            expr   = "100 * avg_over_time(fares:server:up{environment=\"prod\"}[5m])"
            labels = { project = "city-taxi", model = "trip-fare", environment = "prod" }
          },
        ]
      },
      {
        name = "city-taxi.trip-fare.prod.alerts"
        rules = [
          {
            alert       = "fare-availability"
            expr        = "min(fares:availability:percent_5m) < 99.9"
            "for"       = "5m"
            labels      = { severity = "page", signal = "availability" }
            annotations = { summary = "the server does not answer", description = "Only {{ $value }} %.", runbook_url = "https://runbooks.example.com/fares" }
          },
          {
            alert       = "fare-silent"
            expr        = "absent(fares_job_last_success_timestamp_seconds)"
            labels      = { severity = "ticket" }
            annotations = { summary = "nothing runs", description = "No success is known." }
          },
        ]
      },
    ]
    error_message = "Other rules: ${aws_prometheus_rule_group_namespace.this.data}"
  }

  # Each severity goes to its receivers, and what has none to nobody.
  assert {
    condition     = yamldecode(yamldecode(aws_prometheus_alert_manager_definition.this[0].definition).alertmanager_config).route.receiver == "nobody"
    error_message = "What no route takes goes to somebody."
  }
  assert {
    condition     = [for each in yamldecode(yamldecode(aws_prometheus_alert_manager_definition.this[0].definition).alertmanager_config).route.routes : [each.receiver, each.matchers]] == [["page", ["severity = \"page\"", "environment = \"prod\""]], ["ticket", ["severity = \"ticket\"", "environment = \"prod\""]]]
    error_message = "Other routes: ${aws_prometheus_alert_manager_definition.this[0].definition}"
  }
  assert {
    condition = { for each in yamldecode(yamldecode(aws_prometheus_alert_manager_definition.this[0].definition).alertmanager_config).receivers : each.name => [for sns in try(each.sns_configs, []) : sns.topic_arn] } == {
      nobody = []
      page   = ["arn:aws:sns:eu-central-1:444455556666:city-taxi-trip-fare-prod-page"]
      ticket = ["arn:aws:sns:eu-central-1:444455556666:city-taxi-trip-fare-prod-ticket", "arn:aws:sns:eu-central-1:444455556666:tickets"]
    }
    error_message = "Other topics: ${aws_prometheus_alert_manager_definition.this[0].definition}"
  }
  assert {
    condition     = yamldecode(yamldecode(aws_prometheus_alert_manager_definition.this[0].definition).alertmanager_config).receivers[1].pagerduty_configs[0].routing_key == { aws_secrets_manager = { refresh_interval = "5m", secret_arn = "arn:aws:secretsmanager:eu-central-1:444455556666:secret:pager-fares-AbCdEf" } }
    error_message = "PagerDuty's key is not that of the secret."
  }
  assert {
    condition     = { for each in values(aws_sns_topic_subscription.this) : each.protocol => each.endpoint } == { email = "on-call@example.com", https = "https://tickets.example.com/fares" }
    error_message = "Somebody else is subscribed."
  }

  # Only Prometheus publishes, and only from this workspace; everything is encrypted with the module's key.
  assert {
    condition = alltrue([for policy in values(aws_sns_topic_policy.this) : jsondecode(policy.policy).Statement[0].Condition == {
      ArnEquals    = { "aws:SourceArn" = "arn:aws:aps:eu-central-1:444455556666:workspace/ws-0a1b2c3d-0000-1111-2222-333344445555" }
      StringEquals = { "aws:SourceAccount" = "444455556666" }
    } && jsondecode(policy.policy).Statement[1].Effect == "Deny"])
    error_message = "Others may publish: ${jsonencode(values(aws_sns_topic_policy.this)[*].policy)}"
  }
  assert {
    condition     = alltrue([for arn in concat(values(aws_sns_topic.this)[*].kms_master_key_id, [aws_prometheus_workspace.this[0].kms_key_arn, aws_cloudwatch_log_group.this[0].kms_key_id]) : arn == aws_kms_key.this[0].arn])
    error_message = "Something is not encrypted with the module's key."
  }
  assert {
    condition     = alltrue([for each in jsondecode(aws_kms_key.this[0].policy).Statement : each.Sid == "AccountDecides" || can(each.Condition)])
    error_message = "A service may use the key for other accounts."
  }
  assert {
    condition     = jsondecode(aws_iam_policy.remote_write[0].policy).Statement == [{ Sid = "WriteSeries", Effect = "Allow", Action = ["aps:RemoteWrite"], Resource = ["arn:aws:aps:eu-central-1:444455556666:workspace/ws-0a1b2c3d-0000-1111-2222-333344445555"] }]
    error_message = "An agent may do more than write series."
  }
  assert {
    condition     = output.endpoint == "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-0a1b2c3d-0000-1111-2222-333344445555/"
    error_message = "The address is another one: ${output.endpoint}"
  }
}

run "an_own_workspace_gets_the_rules_and_nothing_else" {
  command = plan
  variables {
    workspace_id = "ws-99999999-0000-1111-2222-333344445555"
    receivers    = {}
  }

  assert {
    condition     = aws_prometheus_rule_group_namespace.this.workspace_id == "ws-99999999-0000-1111-2222-333344445555"
    error_message = "The rules are in another workspace."
  }
  assert {
    condition     = length(aws_prometheus_workspace.this) + length(aws_prometheus_alert_manager_definition.this) + length(aws_kms_key.this) + length(aws_sns_topic.this) == 0
    error_message = "More than rules is made."
  }
}

run "an_own_workspace_keeps_its_own_routing" {
  command = plan
  variables {
    workspace_id = "ws-99999999-0000-1111-2222-333344445555"
  }
  expect_failures = [aws_prometheus_rule_group_namespace.this]
}

run "a_severity_that_nobody_receives_is_refused" {
  command = plan
  variables {
    receivers = { page = [{ type = "email", address = "on-call@example.com" }], ticket = [] }
  }
  expect_failures = [aws_prometheus_alert_manager_definition.this]
}

run "that_nobody_is_told_at_all_is_said" {
  command = plan
  variables {
    receivers = {}
  }
  expect_failures = [check.somebody_is_told]
}

run "values_that_prometheus_would_refuse_are_refused_here" {
  command = plan
  variables {
    name            = "Prod"
    environment     = "Prod"
    account_id      = "1"
    region          = "eu"
    workspace_id    = "prod"
    retention_days  = 100
    encryption_key  = "alias/acme"
    recording_rules = { "fares-requests" = "1" }
    receivers       = { page = [{ type = "pagerduty", address = "R0UT1NGK3Y" }] }
    alerts = { late = {
      name = "late", expr = "1", "for" = "soon", severity = "page", labels = { severity = "ticket" }, summary = "", description = ""
    } }
  }
  expect_failures = [
    var.name, var.environment, var.account_id, var.region, var.workspace_id, var.retention_days, var.encryption_key,
    var.recording_rules, var.receivers, var.alerts,
  ]
}

run "samples_are_not_kept_for_longer_than_prometheus_does" {
  command = plan
  variables {
    retention_days = 1096
  }
  expect_failures = [var.retention_days]
}

run "alerts_that_would_reach_nobody_are_refused" {
  command = plan
  variables {
    receivers = { Page = [{ type = "email", address = "fares@example.com" }] }
    alerts = { late = {
      name = "late", expr = "1", "for" = "5m", severity = "page", labels = { severity = "ticket" }, summary = "", description = ""
    } }
  }
  expect_failures = [var.receivers, var.alerts]
}
