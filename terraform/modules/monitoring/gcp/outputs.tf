output "endpoint" {
  description = "Prometheus' HTTP API over the project's metrics, for Grafana and other readers; needs roles/monitoring.viewer."
  value       = "https://monitoring.googleapis.com/v1/projects/${var.project_id}/location/global/prometheus"
}

output "notification" {
  description = "The notification channels by severity."
  value = {
    for severity, receivers in var.receivers : severity => [
      for receiver in receivers :
      receiver.type == "channel" ? receiver.address : google_monitoring_notification_channel.receiver["${receiver.type} ${receiver.address}"].name
    ]
  }
}

output "alerts" {
  description = "Resource names of the alerting policies, by the alert's key."
  value       = { for key, policy in google_monitoring_alert_policy.alert : key => policy.name }
}
