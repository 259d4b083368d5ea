"""Runs and model versions, in MLflow."""
