"""A DAG that judges every model of prod now, each in its own DAG: to start after an incident in the data.

Copy it beside the other DAG files.
"""

from mlops_config.airflow.fleet import fleet

dag = fleet("prod", __file__)
