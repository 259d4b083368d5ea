# The account of dev, as an example. For each further account: a copy of this folder, and so a state of its own. Lines that
# say "yours" have to be changed.

name       = "acme"         # yours: the bucket of Terraform's states is <name>-terraform-<account>
account_id = "777788889999" # yours, in quotes: credentials of another account are refused
region     = "eu-central-1" # yours: where the account's environments lie

# yours: the repository with the configuration. Its numbers: gh api repos/OWNER/NAME --jq '.owner.id, .id'
repository = {
  owner    = "acme"
  owner_id = "1000001"
  name     = "fares"
  id       = "2000002"
}

environments = {
  dev = {
    name         = "city-taxi-trip-fare-dev"   # yours: <project>-<model>-<environment>, as its root names everything
    publish_refs = ["refs/heads/main"]         # refs that may publish to it; staging, prod: refs/tags/release/v*
    state_key    = "city-taxi/dev/aws.tfstate" # yours: as in backend.hcl of its root
  }
}
