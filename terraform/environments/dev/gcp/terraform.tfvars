# dev on Google Cloud, for trying things out: as small as it gets.
# Lines that say "yours" have to be changed, the others may stay. Everything that can be said here is in variables.tf.

project_id = "acme-ml-dev"  # yours: a project for dev alone
region     = "europe-west4" # yours: everything of dev lies there

# yours: the output workflows of bootstrap/gcp. Whom GitHub's workflows become, to give them what each needs here.
workflows = {
  plan     = "serviceAccount:city-taxi-dev-plan@acme-ml-dev.iam.gserviceaccount.com"
  publish  = "serviceAccount:city-taxi-dev-publish@acme-ml-dev.iam.gserviceaccount.com"
  deploy   = "serviceAccount:city-taxi-dev-deploy@acme-ml-dev.iam.gserviceaccount.com"
  rollback = "serviceAccount:city-taxi-dev-rollback@acme-ml-dev.iam.gserviceaccount.com"
}

# What deployer.service_account in the inference file calls the server's account, secret://…: jobs get the one made here.
execution_role_secret = "vertex-service-account-dev"

airflow = {
  max_workers       = 2           # one is always there, the other comes with work
  snapshot_schedule = "0 3 * * 1" # of Airflow's database: on Mondays at three, UTC
}

network = {
  cidr = "10.64.0.0/20" # private addresses, of no other network that jobs have to reach
}

# What every job finds in its environment. Nothing secret: it lies in Terraform's state.
variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.dev.acme.example" # yours: the MLflow of dev

  # yours: the push gateway that a collector of Managed Service for Prometheus reads; alerts rest on what jobs push there
  MLOPS_PUSHGATEWAY_URL = "http://pushgateway.dev.acme.example:9091"
}

monitoring = {
  # Who is told of an alert, by its severity.
  receivers = {
    ticket = [{ type = "email", address = "fares@example.com" }] # yours
  }
}
