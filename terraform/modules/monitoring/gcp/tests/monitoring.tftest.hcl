mock_provider "google" {
  mock_resource "google_monitoring_notification_channel" {
    defaults = { name = "projects/acme-ml-prod/notificationChannels/1" }
  }
  mock_data "google_project" {
    defaults = { number = "111122223333" }
  }
}

variables {
  name            = "city-taxi-trip-fare-prod"
  environment     = "prod"
  labels          = { team = "fares" }
  project_id      = "acme-ml-prod"
  project         = "city-taxi"
  model_name      = "trip-fare"
  recording_rules = { "fares:requests:rate5m" = "sum(rate(fares_requests_total[5m]))" }
  alerts = {
    fare-errors = {
      name        = "fare-errors"
      expr        = "max(fares:requests:rate5m) > 0.005"
      query       = "max((sum(rate(fares_requests_total[5m])))) > 0.005"
      for         = "1h30m"
      severity    = "page"
      labels      = { severity = "page", signal = "errors" }
      summary     = "trip-fare in prod: requests fail"
      description = "The share of failed requests is {{ printf \"%.4g\" $value }}; the alert fires above 0.005, not {{ \"{{\" }}0}}."
      runbook_url = "https://runbooks.example.com/fares/errors"
    }
    fare-drift = {
      name        = "fare-drift"
      expr        = "fares_drift > 0.3"
      query       = "fares_drift > 0.3"
      for         = "0s"
      severity    = "ticket"
      labels      = { severity = "ticket" }
      summary     = "trip-fare in prod: columns drift"
      description = "Columns drift."
    }
  }
  receivers = {
    page   = [{ type = "channel", address = "projects/acme-ml-prod/notificationChannels/77" }, { type = "email", address = "fares@example.com" }]
    ticket = [{ type = "email", address = "fares@example.com" }, { type = "pubsub", address = "projects/acme-ml-prod/topics/tickets" }]
  }
}

run "alerts_as_the_configuration_says" {
  assert {
    condition = (
      google_monitoring_alert_policy.alert["fare-errors"].conditions[0].condition_prometheus_query_language[0].query == "max((sum(rate(fares_requests_total[5m])))) > 0.005"
      && google_monitoring_alert_policy.alert["fare-errors"].conditions[0].condition_prometheus_query_language[0].duration == "5400s"
      && google_monitoring_alert_policy.alert["fare-drift"].conditions[0].condition_prometheus_query_language[0].duration == "0s"
    )
    error_message = "A policy has the query without recording rules, and the time in seconds."
  }
  assert {
    condition = (
      google_monitoring_alert_policy.alert["fare-errors"].conditions[0].condition_prometheus_query_language[0].labels == tomap({ severity = "page", signal = "errors" })
      && google_monitoring_alert_policy.alert["fare-errors"].conditions[0].condition_prometheus_query_language[0].alert_rule == "fare_errors"
      && google_monitoring_alert_policy.alert["fare-errors"].conditions[0].condition_prometheus_query_language[0].rule_group == "city-taxi.trip-fare.prod.alerts"
    )
    error_message = "Labels and names are those of the rules for Prometheus."
  }
  assert {
    condition     = google_monitoring_alert_policy.alert["fare-errors"].severity == "CRITICAL" && google_monitoring_alert_policy.alert["fare-drift"].severity == "WARNING"
    error_message = "A page is critical, a ticket is a warning."
  }
  assert {
    condition     = google_monitoring_alert_policy.alert["fare-errors"].documentation[0].content == "The share of failed requests is as the incident shows; the alert fires above 0.005, not {{0}}."
    error_message = "No template of Prometheus is left in a text, and braces stay braces."
  }
  assert {
    condition = (
      google_monitoring_alert_policy.alert["fare-errors"].documentation[0].links[0].url == "https://runbooks.example.com/fares/errors"
      && length(google_monitoring_alert_policy.alert["fare-drift"].documentation[0].links) == 0
      && google_monitoring_alert_policy.alert["fare-errors"].documentation[0].subject == "[page] trip-fare in prod: requests fail"
    )
    error_message = "The runbook is a link where there is one."
  }
  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.alert : alltrue([for key, value in policy.user_labels : can(regex("^[a-z][a-z0-9_-]*$", key)) && can(regex("^[a-z0-9_-]*$", value))])
    ])
    error_message = "Labels are such as Google Cloud takes."
  }

  # Tells by severity.
  assert {
    condition = (
      google_monitoring_alert_policy.alert["fare-errors"].notification_channels == tolist(["projects/acme-ml-prod/notificationChannels/77", "projects/acme-ml-prod/notificationChannels/1"])
      && length(google_monitoring_alert_policy.alert["fare-drift"].notification_channels) == 2
    )
    error_message = "An alert tells those of its severity."
  }
  assert {
    condition = (
      toset(keys(google_monitoring_notification_channel.receiver)) == toset(["email fares@example.com", "pubsub projects/acme-ml-prod/topics/tickets"])
      && google_monitoring_notification_channel.receiver["email fares@example.com"].labels == tomap({ email_address = "fares@example.com" })
      && google_monitoring_notification_channel.receiver["pubsub projects/acme-ml-prod/topics/tickets"].labels == tomap({ topic = "projects/acme-ml-prod/topics/tickets" })
    )
    error_message = "Who is told twice is one channel, and what is there is not made again."
  }
  assert {
    condition     = google_pubsub_topic_iam_member.publish["projects/acme-ml-prod/topics/tickets"].member == "serviceAccount:service-111122223333@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
    error_message = "Cloud Monitoring may publish into the topic."
  }
  assert {
    condition     = output.notification["page"][0] == "projects/acme-ml-prod/notificationChannels/77" && output.endpoint == "https://monitoring.googleapis.com/v1/projects/acme-ml-prod/location/global/prometheus"
    error_message = "The outputs say who is told and where metrics are read."
  }
}

run "waits_for_no_longer_than_a_day_and_says_so" {
  command = plan
  variables {
    alerts = {
      for name, time in { day = "24h", days = "2d" } : name => {
        name                  = name, expr = "absent(fares_job)", query = "absent(fares_job)", for = time, severity = "ticket", labels = {}
        summary               = "silent", description = "The job inference never succeeded."
      }
    }
  }
  assert {
    condition = { for name, policy in google_monitoring_alert_policy.alert : name => policy.conditions[0].condition_prometheus_query_language[0].duration } == {
      day = "86400s", days = "86400s"
    }
    error_message = "Cloud Monitoring refuses what waits for longer."
  }
  assert {
    condition = { for name, policy in google_monitoring_alert_policy.alert : name => policy.documentation[0].content } == {
      day  = "The job inference never succeeded."
      days = "The job inference never succeeded. The configuration has it wait for 2d. Cloud Monitoring waits for a day at most, so it comes after that."
    }
    error_message = "Who is told sooner than the configuration says reads why."
  }
}

run "watches_without_telling_anybody" {
  command = plan
  variables {
    receivers = {}
  }
  assert {
    condition     = length(google_monitoring_notification_channel.receiver) == 0 && length(google_monitoring_alert_policy.alert["fare-errors"].notification_channels) == 0
    error_message = "Alerts without receivers are to be seen and nothing else."
  }
}

run "refuses_a_query_that_nothing_records" {
  command = plan
  variables {
    alerts = {
      fare-errors = {
        name   = "fare-errors", expr = "x", query = "max(fares:requests:rate5m{environment=\"prod\"}) > 0.005", for = "5m", severity = "page"
        labels = {}, summary = "s", description = "d"
      }
    }
  }
  expect_failures = [google_monitoring_alert_policy.alert["fare-errors"]]
}

run "refuses_each_wrong_value" {
  command = plan
  variables {
    name            = "City-Taxi"
    environment     = "pro d"
    labels          = { Team = "fares" }
    project_id      = "111122223333"
    recording_rules = { "fares-requests" = "1" }
    alerts = {
      fare-errors = { name = "a", expr = "x", query = "x", for = "5 minutes", severity = "page", labels = {}, summary = "s", description = "d" }
    }
    receivers = { page = [{ type = "slack", address = "#fares" }] }
  }
  expect_failures = [var.name, var.environment, var.labels, var.project_id, var.recording_rules, var.alerts, var.receivers]
}

run "refuses_a_severity_nobody_knows" {
  command = plan
  variables {
    alerts = {
      fare-errors = { name = "a", expr = "x", query = "x", for = "5m", severity = "info", labels = {}, summary = "s", description = "d" }
    }
    receivers = { info = [] }
  }
  expect_failures = [var.alerts, var.receivers]
}

run "each_refuses_one_mistake" {
  command = plan
  variables {
    # an alert without a query
    alerts = {
      fare-errors = { name = "a", expr = "x", query = " ", for = "5m", severity = "page", labels = {}, summary = "s", description = "d" }
    }
    # an address of another type
    receivers = { page = [{ type = "pubsub", address = "fares@example.com" }] }
  }
  expect_failures = [
    var.alerts, var.receivers,
  ]
}
