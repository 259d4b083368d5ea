# prod on AWS, for people who depend on it.
# Lines that say "yours" have to be changed, the others may stay. Everything that can be said here is in variables.tf.

account_id = "444455556666" # yours, in quotes: credentials of another account are refused
region     = "eu-central-1" # yours: everything of prod lies there

# yours: the output permissions_boundary of bootstrap/aws. It bounds each role made here; without it GitHub's cannot apply.
permissions_boundary = "arn:aws:iam::444455556666:policy/github-city-taxi-trip-fare-prod-boundary"

# What deployer.role in the inference file calls the endpoint's role, secret://…: jobs get the one that is made here.
execution_role_secret = "sagemaker-execution-role-prod"

airflow = {
  class       = "mw1.medium" # of scheduler and workers
  min_workers = 2            # are always there, so that one may fail
  max_workers = 10           # come with work
}

network = {
  cidr         = "10.66.0.0/20"                     # private addresses, of no other network that jobs have to reach
  zones        = ["eu-central-1a", "eu-central-1b"] # yours: two of the region
  nat_gateways = "each"                             # one zone may fail, and the other still has its way out
}

# What every job finds in its environment. Nothing secret: it lies in Terraform's state.
variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.acme.example" # yours: the MLflow of prod

  # yours: the push gateway that an agent reads for Amazon Managed Service for Prometheus;
  # workers get to it by port 443, or by what network.egress opens
  MLOPS_PUSHGATEWAY_URL = "https://pushgateway.acme.example"
}

monitoring = {
  retention_days = 400 # samples in Amazon Managed Prometheus are kept

  # Who is told of an alert, by its severity. An address confirms once, by the e-mail that it gets.
  receivers = {
    page   = [{ type = "email", address = "fares-on-call@example.com" }] # yours: who gets up at night
    ticket = [{ type = "email", address = "fares@example.com" }]         # yours
  }
}
