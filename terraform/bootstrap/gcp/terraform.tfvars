# The project of dev, as an example. For each further project: a copy of this folder, and so a state of its own. Lines that
# say "yours" have to be changed.

name       = "city-taxi"    # yours: metadata.project of the configuration
project_id = "acme-ml-dev"  # yours: a project for dev alone
region     = "europe-west4" # yours: where dev lies

# yours: the repository with the configuration. Its numbers: gh api repos/OWNER/NAME --jq '.owner.id, .id'
repository = {
  owner    = "acme"
  owner_id = "1000001"
  name     = "fares"
  id       = "2000002"
}

environments = {
  dev = {
    name         = "city-taxi-trip-fare-dev" # yours: <project>-<model>-<environment>, as its root names everything
    publish_refs = ["refs/heads/main"]       # regular expressions of the refs that may publish to it
    # staging: refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+-rc[.][0-9]+
    # prod:    refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+
  }
}

# yours: buckets that the files name, if their names do not begin with acme-ml-dev-city-taxi-
# data_buckets = ["acme-trips"]
