# staging on AWS, where releases are rehearsed: as prod, but smaller.
# Lines that say "yours" have to be changed, the others may stay. Everything that can be said here is in variables.tf.

account_id = "111122223333" # yours, in quotes: credentials of another account are refused
region     = "eu-central-1" # yours: everything of staging lies there

# yours: the output permissions_boundary of bootstrap/aws. It bounds each role made here; without it GitHub's cannot apply.
permissions_boundary = "arn:aws:iam::111122223333:policy/github-city-taxi-trip-fare-staging-boundary"

# What deployer.role in the inference file calls the endpoint's role, secret://…: jobs get the one that is made here.
execution_role_secret = "sagemaker-execution-role-staging"

airflow = {
  class       = "mw1.small" # of scheduler and workers
  max_workers = 3           # one is always there, the others come with work
}

network = {
  cidr  = "10.65.0.0/20"                     # private addresses, of no other network that jobs have to reach
  zones = ["eu-central-1a", "eu-central-1b"] # yours: two of the region
}

# What every job finds in its environment. Nothing secret: it lies in Terraform's state.
variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.staging.acme.example" # yours: the MLflow of staging

  # yours: the push gateway that an agent reads for Amazon Managed Service for Prometheus;
  # workers get to it by port 443, or by what network.egress opens
  MLOPS_PUSHGATEWAY_URL = "https://pushgateway.staging.acme.example"
}

monitoring = {
  # Who is told of an alert, by its severity. An address confirms once, by the e-mail that it gets.
  receivers = {
    page   = [{ type = "email", address = "fares@example.com" }] # yours
    ticket = [{ type = "email", address = "fares@example.com" }] # yours
  }
}
