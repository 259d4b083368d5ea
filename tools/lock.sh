#!/bin/sh
# Resolves the dependencies once, for every platform and Python at once, and writes the nested sets of requirements/.
#
#   tools/lock.sh [--upgrade | --upgrade-package NAME]
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

compile() {
    # Where packages come from is the business of whoever installs: no index, no folder gets into a lock.
    env -u UV_FIND_LINKS .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --only-binary :all: --custom-compile-command 'make lock' "$@"
}

extras=$(sed -n '/^\[project.optional-dependencies\]/,/^\[dependency-groups\]/s/^\([a-z0-9-]*\) = .*/--extra=\1/p' pyproject.toml | grep -v -e spark -e airflow)
# shellcheck disable=SC2086 # one word per extra
compile "$@" pyproject.toml requirements/run.in $extras --group test --group lint \
    --output-file requirements/test.txt
for name in core build s3 gcs run jobs loop uv; do
    # The resolution above is the constraint, so every set has the same versions.
    compile "requirements/$name.in" --constraints requirements/test.txt --output-file "requirements/$name.txt" \
        --no-annotate --upgrade
done
compile "$@" requirements/spark.in --no-binary pyspark --no-annotate --output-file requirements/spark.txt
for version in 3.3 3.1; do
    compile "$@" pyproject.toml "requirements/airflow-$version.in" --no-annotate \
        --output-file "requirements/airflow-$version.txt"
done
for name in provider checkov bench; do
    compile "$@" "requirements/$name.in" --no-annotate --output-file "requirements/$name.txt"
done
echo 'lock: requirements/*.txt written'
