"""The inference job: python inference_main.py --config /app/configs/prod_inference_config.yaml."""

import sys

from mlops_config.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "inference", *sys.argv[1:]]))
