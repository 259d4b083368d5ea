# The project of dev, as an example. For each further project: a copy of this file, and a state of its own.
name       = "city-taxi"
project_id = "acme-ml-dev"
region     = "europe-west4"

repository = {
  owner    = "acme"
  owner_id = "1000001"
  name     = "fares"
  id       = "2000002"
}

environments = {
  dev = {
    publish_refs = ["refs/heads/main"]
    # staging: refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+-rc[.][0-9]+
    # prod:    refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+
  }
}
