"""A provider of Terraform whose cloud is a folder; README.md beside it says what it can do."""
