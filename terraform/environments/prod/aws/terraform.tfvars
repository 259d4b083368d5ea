# prod, for people who depend on it. The account and the addresses are examples: put yours.
account_id = "444455556666"
region     = "eu-central-1"

# From bootstrap/aws, which makes the boundary and GitHub's roles.
permissions_boundary = "arn:aws:iam::444455556666:policy/github-city-taxi-trip-fare-prod-boundary"

# What the inference file calls the endpoint's role (deployer.role: secret://…).
execution_role_secret = "sagemaker-execution-role-prod"

airflow = {
  class       = "mw1.medium"
  min_workers = 2
  max_workers = 10
}

network = {
  cidr         = "10.66.0.0/20"
  zones        = ["eu-central-1a", "eu-central-1b"] # two of the region
  nat_gateways = "each"
}

variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.acme.example"
}

monitoring = {
  retention_days = 400
  receivers = {
    page   = [{ type = "email", address = "fares-on-call@example.com" }]
    ticket = [{ type = "email", address = "fares@example.com" }]
  }
}
