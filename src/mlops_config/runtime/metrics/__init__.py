"""What the jobs tell Prometheus, and how it gets there."""
