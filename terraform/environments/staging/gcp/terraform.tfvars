# staging, where releases are rehearsed. Project and addresses are examples: put yours.
project_id = "acme-ml-staging"
region     = "europe-west4"

# From bootstrap/gcp, whose output members they are.
workflows = {
  plan     = "serviceAccount:city-taxi-staging-plan@acme-ml-staging.iam.gserviceaccount.com"
  publish  = "serviceAccount:city-taxi-staging-publish@acme-ml-staging.iam.gserviceaccount.com"
  deploy   = "serviceAccount:city-taxi-staging-deploy@acme-ml-staging.iam.gserviceaccount.com"
  rollback = "serviceAccount:city-taxi-staging-rollback@acme-ml-staging.iam.gserviceaccount.com"
}

# What the inference file calls the server's service account (deployer.service_account: secret://…).
execution_role_secret = "vertex-service-account-staging"

airflow = {
  max_workers = 4
}

network = {
  cidr = "10.65.0.0/20"
}

variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.acme.example"
}

monitoring = {
  receivers = {
    page   = [{ type = "email", address = "fares@example.com" }]
    ticket = [{ type = "email", address = "fares@example.com" }]
  }
}
