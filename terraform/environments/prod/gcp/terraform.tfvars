# prod, for people who depend on it. Project and addresses are examples: put yours.
project_id = "acme-ml-prod"
region     = "europe-west4"

# From bootstrap/gcp, whose output members they are.
workflows = {
  plan     = "serviceAccount:city-taxi-prod-plan@acme-ml-prod.iam.gserviceaccount.com"
  publish  = "serviceAccount:city-taxi-prod-publish@acme-ml-prod.iam.gserviceaccount.com"
  deploy   = "serviceAccount:city-taxi-prod-deploy@acme-ml-prod.iam.gserviceaccount.com"
  rollback = "serviceAccount:city-taxi-prod-rollback@acme-ml-prod.iam.gserviceaccount.com"
}

# What the inference file calls the server's service account (deployer.service_account: secret://…).
execution_role_secret = "vertex-service-account-prod"

airflow = {
  size        = "medium"
  min_workers = 2
  max_workers = 10
  worker      = { cpu = 4, memory_gb = 16, storage_gb = 20 }
}

network = {
  cidr = "10.66.0.0/20"
}

variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.acme.example"
}

monitoring = {
  receivers = {
    page   = [{ type = "email", address = "fares-on-call@example.com" }]
    ticket = [{ type = "email", address = "fares@example.com" }]
  }
}
