"""Airflow from outside: what it is to run, told through its DAG folder and its REST API."""
