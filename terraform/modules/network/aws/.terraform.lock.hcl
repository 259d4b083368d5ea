# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.

provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.69.1"
  constraints = "~> 6.60"
  hashes = [
    "h1:zTa/DzDtrWgXS5PSXanx7GHcSuZXylXIQ0+n9Y447d4=",
  ]
}
