# dev on AWS: the smallest that works; its models serve on the machine that trains them.
# Lines that say "yours" have to be changed, the others may stay. Everything that can be said here is in variables.tf.

account_id = "777788889999" # yours, in quotes: credentials of another account are refused
region     = "eu-central-1" # yours: everything of dev lies there

# yours: the output permissions_boundary of bootstrap/aws. It bounds each role made here; without it GitHub's cannot apply.
permissions_boundary = "arn:aws:iam::777788889999:policy/github-city-taxi-trip-fare-dev-boundary"

airflow = {
  class       = "mw1.micro" # Amazon MWAA's smallest and cheapest
  max_workers = 1           # all that mw1.micro has
  log_days    = 30          # Airflow's logs in CloudWatch are kept
}

network = {
  cidr  = "10.64.0.0/20"                     # private addresses, of no other network that jobs have to reach
  zones = ["eu-central-1a", "eu-central-1b"] # yours: two of the region
}

# What every job finds in its environment. Nothing secret: it lies in Terraform's state.
variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.dev.acme.example" # yours: the MLflow of dev

  # yours: the push gateway that an agent reads for Amazon Managed Service for Prometheus;
  # workers get to it by port 443, or by what network.egress opens
  MLOPS_PUSHGATEWAY_URL = "https://pushgateway.dev.acme.example"
}

artifact_store = {
  noncurrent_days = 30 # what current.json said before is kept
  access_log_days = 30 # who asked for what is kept
}

monitoring = {
  retention_days = 90 # samples in Amazon Managed Prometheus are kept

  # Who is told of an alert, by its severity. An address confirms once, by the e-mail that it gets.
  receivers = {
    ticket = [{ type = "email", address = "fares@example.com" }] # yours
  }
}
