# staging on Google Cloud, where releases are rehearsed: as prod, but smaller.
# Lines that say "yours" have to be changed, the others may stay. Everything that can be said here is in variables.tf.

project_id = "acme-ml-staging" # yours: a project for staging alone
region     = "europe-west4"    # yours: everything of staging lies there

# yours: the output workflows of bootstrap/gcp. Whom GitHub's workflows become, to give them what each needs here.
workflows = {
  plan     = "serviceAccount:city-taxi-staging-plan@acme-ml-staging.iam.gserviceaccount.com"
  publish  = "serviceAccount:city-taxi-staging-publish@acme-ml-staging.iam.gserviceaccount.com"
  deploy   = "serviceAccount:city-taxi-staging-deploy@acme-ml-staging.iam.gserviceaccount.com"
  rollback = "serviceAccount:city-taxi-staging-rollback@acme-ml-staging.iam.gserviceaccount.com"
}

# What deployer.service_account in the inference file calls the server's account, secret://…: jobs get the one made here.
execution_role_secret = "vertex-service-account-staging"

airflow = {
  max_workers = 4 # one is always there, the others come with work
}

network = {
  cidr = "10.65.0.0/20" # private addresses, of no other network that jobs have to reach
}

# What every job finds in its environment. Nothing secret: it lies in Terraform's state.
variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.staging.acme.example" # yours: the MLflow of staging

  # yours: the push gateway that a collector of Managed Service for Prometheus reads; alerts rest on what jobs push there
  MLOPS_PUSHGATEWAY_URL = "http://pushgateway.staging.acme.example:9091"
}

monitoring = {
  # Who is told of an alert, by its severity.
  receivers = {
    page   = [{ type = "email", address = "fares@example.com" }] # yours
    ticket = [{ type = "email", address = "fares@example.com" }] # yours
  }
}
