"""A monitoring DAG for each deployment, made by mlops_config inside Airflow."""

from mlops_config.airflow.dags import dags_of

globals().update(dags_of("monitoring", __file__))
