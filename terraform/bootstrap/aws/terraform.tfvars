# The account of prod, as an example. For each further account: a copy of this file, and a state of its own.
name       = "acme"
account_id = "444455556666"
region     = "eu-central-1"

repository = {
  owner    = "acme"
  owner_id = "1000001"
  name     = "fares"
  id       = "2000002"
}

environments = {
  prod = {
    name         = "city-taxi-trip-fare-prod" # <project>-<model>-<environment>, as its root names everything
    publish_refs = ["refs/tags/release/v*"]
    state_key    = "city-taxi/prod/aws.tfstate"
    endpoint     = "trip-fare-prod"
  }
}
