"""The inference job: batches of rows in, predictions with their provenance out."""
