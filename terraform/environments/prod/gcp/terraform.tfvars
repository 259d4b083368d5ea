# prod on Google Cloud, for people who depend on it.
# Lines that say "yours" have to be changed, the others may stay. Everything that can be said here is in variables.tf.

project_id = "acme-ml-prod" # yours: a project for prod alone
region     = "europe-west4" # yours: everything of prod lies there

# yours: the output workflows of bootstrap/gcp. Whom GitHub's workflows become, to give them what each needs here.
workflows = {
  plan     = "serviceAccount:city-taxi-prod-plan@acme-ml-prod.iam.gserviceaccount.com"
  publish  = "serviceAccount:city-taxi-prod-publish@acme-ml-prod.iam.gserviceaccount.com"
  deploy   = "serviceAccount:city-taxi-prod-deploy@acme-ml-prod.iam.gserviceaccount.com"
  rollback = "serviceAccount:city-taxi-prod-rollback@acme-ml-prod.iam.gserviceaccount.com"
}

# What deployer.service_account in the inference file calls the server's account, secret://…: jobs get the one made here.
execution_role_secret = "vertex-service-account-prod"

airflow = {
  size        = "medium"                                     # of Airflow's database and schedulers
  min_workers = 2                                            # are always there, so that one may fail
  max_workers = 10                                           # come with work
  worker      = { cpu = 4, memory_gb = 16, storage_gb = 20 } # enough for one training
}

network = {
  cidr = "10.66.0.0/20" # private addresses, of no other network that jobs have to reach
}

# What every job finds in its environment. Nothing secret: it lies in Terraform's state.
variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.acme.example" # yours: the MLflow of prod

  # yours: the push gateway that a collector of Managed Service for Prometheus reads; alerts rest on what jobs push there
  MLOPS_PUSHGATEWAY_URL = "http://pushgateway.prod.acme.example:9091"
}

monitoring = {
  # Who is told of an alert, by its severity.
  receivers = {
    page   = [{ type = "email", address = "fares-on-call@example.com" }] # yours: who gets up at night
    ticket = [{ type = "email", address = "fares@example.com" }]         # yours
  }
}
