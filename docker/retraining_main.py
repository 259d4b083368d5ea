"""The retraining job: python retraining_main.py --config /app/configs/prod_retrain_config.yaml."""

import sys

from mlops_config.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "retraining", *sys.argv[1:]]))
