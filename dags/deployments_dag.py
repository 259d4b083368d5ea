"""No DAG: an import error on Airflow's first page for each deployment that mlops_config can make none of."""

from mlops_config.airflow.deployments import require_readable

require_readable(__file__)
