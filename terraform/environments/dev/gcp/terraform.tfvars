# dev, for trying things out: as small as it gets. Project and addresses are examples: put yours.
project_id = "acme-ml-dev"
region     = "europe-west4"

# From bootstrap/gcp, whose output members they are.
workflows = {
  plan     = "serviceAccount:city-taxi-dev-plan@acme-ml-dev.iam.gserviceaccount.com"
  publish  = "serviceAccount:city-taxi-dev-publish@acme-ml-dev.iam.gserviceaccount.com"
  deploy   = "serviceAccount:city-taxi-dev-deploy@acme-ml-dev.iam.gserviceaccount.com"
  rollback = "serviceAccount:city-taxi-dev-rollback@acme-ml-dev.iam.gserviceaccount.com"
}

# What the inference file calls the server's service account (deployer.service_account: secret://…).
execution_role_secret = "vertex-service-account-dev"

airflow = {
  max_workers       = 2
  snapshot_schedule = "0 3 * * 1"
}

network = {
  cidr = "10.64.0.0/20"
}

variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.acme.example"
}

monitoring = {
  receivers = {
    ticket = [{ type = "email", address = "fares@example.com" }]
  }
}
