# Where people are told. No channel here needs a secret; those that do are made by people and named as they are.

locals {
  made = {
    for each in flatten(values(var.receivers)) : "${each.type} ${each.address}" => each... if each.type != "channel"
  }
  topics = toset([for each in flatten(values(var.receivers)) : each.address if each.type == "pubsub"])
}

resource "google_monitoring_notification_channel" "receiver" {
  for_each = local.made

  project      = var.project_id
  display_name = "${var.name}: ${each.value[0].address}"
  type         = each.value[0].type
  labels       = { (each.value[0].type == "email" ? "email_address" : "topic") = each.value[0].address }
  user_labels  = local.user_labels
  force_delete = false

  depends_on = [google_pubsub_topic_iam_member.publish]
}

data "google_project" "this" {
  count = length(local.topics) > 0 ? 1 : 0

  project_id = var.project_id
}

# Cloud Monitoring publishes as an account of its own.
# https://cloud.google.com/monitoring/support/notification-options#pubsub
resource "google_pubsub_topic_iam_member" "publish" {
  for_each = local.topics

  topic  = each.value
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:service-${data.google_project.this[0].number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
}
