# A network for one environment's Airflow, in a project that has none: one private subnetwork, no addresses of its own on
# the internet, a way out through Cloud NAT, and nothing that lets anybody in. Google's own services are reached without
# leaving Google's network. Whoever has a network gives its names to the airflow module and leaves this one out.

locals {
  description = substr(join(" ", concat(
    ["Airflow of ${var.name}, environment ${var.environment}."],
    [for key, value in var.labels : "${key}=${value}"],
  )), 0, 256)
}

resource "google_compute_network" "this" {
  project                         = var.project_id
  name                            = var.name
  description                     = local.description
  auto_create_subnetworks         = false
  routing_mode                    = "REGIONAL"
  delete_default_routes_on_create = false
}

resource "google_compute_subnetwork" "this" {
  project                  = var.project_id
  name                     = "${var.name}-airflow"
  description              = local.description
  network                  = google_compute_network.this.id
  region                   = var.region
  ip_cidr_range            = var.cidr
  private_ip_google_access = true
  stack_type               = "IPV4_ONLY"

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.5
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# A network refuses what comes from outside anyway. This says it where people look, goes before a rule that somebody
# adds with less weight, and writes down who tried.
resource "google_compute_firewall" "nobody_enters" {
  project       = var.project_id
  name          = "${var.name}-nobody-enters"
  description   = "Nothing here answers to anybody."
  network       = google_compute_network.this.id
  direction     = "INGRESS"
  priority      = 65000
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_router" "this" {
  count = var.internet ? 1 : 0

  project = var.project_id
  name    = var.name
  network = google_compute_network.this.id
  region  = var.region
}

resource "google_compute_router_nat" "this" {
  count = var.internet ? 1 : 0

  project                            = var.project_id
  name                               = var.name
  router                             = google_compute_router.this[0].name
  region                             = var.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.this.id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
