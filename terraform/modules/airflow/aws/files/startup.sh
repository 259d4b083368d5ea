# shellcheck shell=bash
# Runs on each of Airflow's containers before Airflow starts, for at most five minutes. Only workers run jobs. Nothing
# is exported, and a failure does not end the script: Airflow itself needs none of this, and a job on a worker without
# its environment fails at once and says which program is missing.
make_jobs_environment() {
  mkdir -p "$JOBS_HOME/app" || return
  python3 - "$JOBS_BUCKET" "$JOBS_REQUIREMENTS" "$JOBS_HOME/requirements.txt" <<'PYTHON' || return
import sys

import boto3

bucket, key, path = sys.argv[1:]
boto3.client("s3").download_file(bucket, key, path)
PYTHON
  python3 -m venv "$JOBS_HOME" || return
  "$JOBS_HOME/bin/python" -m pip install --quiet --require-hashes --only-binary :all: -r "$JOBS_HOME/requirements.txt" || return
  "$JOBS_HOME/bin/python" -m pip install --quiet --no-deps "$JOBS_PACKAGE" || return

  for job in training inference monitoring retraining; do
    cat > "$JOBS_HOME/app/${job}_main.py" <<PYTHON || return
import sys

from mlops_config.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "$job", *sys.argv[1:]]))
PYTHON
  done

  # Last: without it no job starts in half an environment.
  { echo "#!$JOBS_HOME/bin/python" && echo "$JOBS_PYTHON" | base64 --decode; } > "$JOBS_HOME/bin/python-with-secrets.tmp" || return
  chmod 755 "$JOBS_HOME/bin/python-with-secrets.tmp" || return
  mv "$JOBS_HOME/bin/python-with-secrets.tmp" "$JOBS_HOME/bin/python-with-secrets"
}

case "$MWAA_AIRFLOW_COMPONENT" in
  worker | hybrid)
    if make_jobs_environment; then
      echo "the jobs' environment is in $JOBS_HOME"
    else
      echo "the jobs' environment could not be made; jobs on this worker will fail" >&2
    fi
    ;;
esac
unset JOBS_HOME JOBS_BUCKET JOBS_REQUIREMENTS JOBS_PACKAGE JOBS_PYTHON
unset -f make_jobs_environment
