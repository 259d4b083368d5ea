"""The monitoring job: python monitoring_main.py --config /app/configs/prod_monitoring_config.yaml."""

import sys

from mlops_config.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "monitoring", *sys.argv[1:]]))
