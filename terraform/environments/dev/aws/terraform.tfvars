# dev: the smallest that works; its models serve on the machine that trains them. The account and the addresses are
# examples: put yours.
account_id = "777788889999"
region     = "eu-central-1"

# From bootstrap/aws, which makes the boundary and GitHub's roles.
permissions_boundary = "arn:aws:iam::777788889999:policy/github-city-taxi-trip-fare-dev-boundary"

airflow = {
  class       = "mw1.micro"
  max_workers = 1
  log_days    = 30
}

network = {
  cidr  = "10.64.0.0/20"
  zones = ["eu-central-1a", "eu-central-1b"] # two of the region
}

variables = {
  MLFLOW_TRACKING_URI = "https://mlflow.dev.acme.example"
}

artifact_store = {
  noncurrent_days = 30
  access_log_days = 30
}

monitoring = {
  retention_days = 90
  receivers = {
    ticket = [{ type = "email", address = "fares@example.com" }]
  }
}
