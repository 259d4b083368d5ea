"""What watches the loop: Prometheus rules, their tests and a dashboard, made from the monitoring file."""
