# staging: as prod, but smaller. The account and the addresses are examples: put yours.
account_id = "111122223333"
region     = "eu-central-1"

# From bootstrap/aws, which makes the boundary and GitHub's roles.
permissions_boundary = "arn:aws:iam::111122223333:policy/github-city-taxi-trip-fare-staging-boundary"

# What the inference file calls the endpoint's role (deployer.role: secret://…).
execution_role_secret = "sagemaker-execution-role-staging"

airflow = {
  class       = "mw1.small"
  max_workers = 3
}

network = {
  cidr  = "10.65.0.0/20"
  zones = ["eu-central-1a", "eu-central-1b"] # two of the region
}

variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.staging.acme.example"
}

monitoring = {
  receivers = {
    page   = [{ type = "email", address = "fares@example.com" }]
    ticket = [{ type = "email", address = "fares@example.com" }]
  }
}
