"""Inside Airflow: the DAGs of every deployment, and the operators that run its jobs.

Runs in Airflow's own Python, versions 3.1 to 3.3, and imports nothing of this package but
``mlops_config.orchestration.deployment``: no YAML is read and no model is validated while DAGs are parsed.
"""
