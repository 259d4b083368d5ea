mock_provider "google" {}

variables {
  name        = "city-taxi-trip-fare-prod"
  environment = "prod"
  labels      = { team = "fares" }
  project_id  = "acme-ml-prod"
  region      = "europe-west4"
  cidr        = "10.20.0.0/20"
}

run "lets_jobs_out_and_nobody_in" {
  assert {
    condition     = !google_compute_network.this.auto_create_subnetworks && google_compute_subnetwork.this.private_ip_google_access && google_compute_subnetwork.this.ip_cidr_range == "10.20.0.0/20"
    error_message = "There is one subnetwork, private, with a way to Google's services."
  }
  assert {
    condition = (
      google_compute_firewall.nobody_enters.direction == "INGRESS" && google_compute_firewall.nobody_enters.source_ranges == toset(["0.0.0.0/0"])
      && one(google_compute_firewall.nobody_enters.deny).protocol == "all" && length(google_compute_firewall.nobody_enters.allow) == 0
    )
    error_message = "Nobody enters."
  }
  assert {
    condition     = google_compute_router_nat.this[0].source_subnetwork_ip_ranges_to_nat == "LIST_OF_SUBNETWORKS" && one(google_compute_router_nat.this[0].subnetwork).name == google_compute_subnetwork.this.id
    error_message = "The way out is for this subnetwork."
  }
  assert {
    condition     = google_compute_subnetwork.this.log_config[0].metadata == "INCLUDE_ALL_METADATA" && strcontains(google_compute_network.this.description, "prod. team=fares")
    error_message = "Flows are logged, and the description says whose network it is."
  }
  assert {
    condition     = output.network == google_compute_network.this.id && output.subnetwork == google_compute_subnetwork.this.id
    error_message = "The outputs are what the airflow module takes."
  }
}

run "stays_inside_where_that_is_wanted" {
  command = plan
  variables {
    internet = false
  }
  assert {
    condition     = length(google_compute_router_nat.this) == 0 && length(google_compute_router.this) == 0
    error_message = "Without internet there is no way out."
  }
}

run "refuses_each_wrong_value" {
  command = plan
  variables {
    name        = "City-Taxi"
    environment = "pro d"
    project_id  = "111122223333"
    region      = "europe-west4-a"
    cidr        = "100.64.128.0/20"
  }
  expect_failures = [var.name, var.environment, var.project_id, var.region, var.cidr]
}

run "refuses_addresses_that_are_too_few" {
  command = plan
  variables {
    cidr = "10.20.0.0/28"
  }
  expect_failures = [var.cidr]
}

run "refuses_an_address_in_the_middle_of_its_range" {
  command = plan
  variables {
    cidr = "10.20.1.0/20"
  }
  expect_failures = [var.cidr]
}
