"""Terraform: a release as variables, plans as people read them, and the order of a deployment."""
