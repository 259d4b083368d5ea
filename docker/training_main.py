"""The training job: python training_main.py --config /app/configs/prod_training_config.yaml."""

import sys

from mlops_config.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "training", *sys.argv[1:]]))
