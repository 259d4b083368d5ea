output "network" {
  description = "Resource name of the network, for the airflow module."
  value       = google_compute_network.this.id
}

output "subnetwork" {
  description = "Resource name of the subnetwork, for the airflow module."
  value       = google_compute_subnetwork.this.id
  # Packages are installed through it.
  depends_on = [google_compute_router_nat.this]
}
