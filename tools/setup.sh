#!/bin/sh
# Makes or mends .venv from a hash-locked requirements file, and touches nothing outside the checkout.
#
#   tools/setup.sh run     what `mlops-config` needs        (make setup, make run)
#   tools/setup.sh loop    what the jobs need as well       (make loop)
#   tools/setup.sh test    all that the tests need as well  (make test)
#
# PYTHON=python3.12 chooses the interpreter. A second call with nothing changed takes milliseconds.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

name=${1:-run}
lock=requirements/$name.txt
venv=$PWD/.venv
stamp=.venv/.installed-$name
started=$(date +%s)

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    printf 'setup: %s\n' "$@" >&2
    exit 2
}

[ -f "$lock" ] || die "there is no $lock" "say: tools/setup.sh run, loop or test"

# Where the environment lies, which Python runs it, and what the lock says: if one of them changes, so does the stamp.
place() {
    printf '%s\n' "$venv"
    "$venv/bin/python" -I -S -c 'import sys; print(sys.version.split()[0], sys.base_prefix)' 2>/dev/null || echo broken
}
state() {
    place
    cksum <"$1"
    cksum <pyproject.toml
}

is_current() {
    [ -x "$venv/bin/mlops-config" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(state "$lock")" ]
}

is_usable() {
    "$venv/bin/python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    # Scripts inside hold absolute paths, so an environment that was moved or whose Python was replaced is made anew.
    # One that somebody else made has no such mark, and is only added to.
    [ ! -f .venv/.place ] || [ "$(cat .venv/.place)" = "$(place)" ]
}

supports() { "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supports "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.11 to 3.14" "name another one, or leave PYTHON unset"
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if supports "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "no Python 3.11 to 3.14 found; python3 is $(python3 --version 2>&1 || true)" \
        "install one (Debian 12, Ubuntu 24.04: apt-get install python3 python3-venv; macOS: brew install python)," \
        "or name one you have: PYTHON=/path/to/python3.12 make setup"
}

make_venv() {
    python=$(find_python)
    "$python" -I -c 'import ensurepip, venv' 2>/dev/null || die \
        "$("$python" --version) cannot make virtual environments: its venv module is not installed" \
        "on Debian and Ubuntu: apt-get install python3-venv" \
        "or name another Python: PYTHON=/path/to/python3.12 make setup"
    say "making .venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -I -m venv "$venv"
    place >.venv/.place
}

pip() {
    # Settings of the user that would send packages elsewhere must not reach this environment.
    env -u PIP_TARGET -u PIP_PREFIX -u PIP_USER -u PIP_REQUIRE_VIRTUALENV PYTHONNOUSERSITE=1 \
        "$venv/bin/python" -m pip --disable-pip-version-check --no-input -qq "$@"
}

# The large sets: uv takes a sixth of pip's time, and has to be there for Airflow's environments anyhow.
uv() {
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "$@"
}

is_current && exit 0

is_usable || make_venv
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
say "installing $(grep -c '^[a-z0-9].*==' "$lock") packages, each checked against its hash in $lock"
# Bytecode is made when a module is first loaded; compiling all of it now takes longer than the rest.
if [ "$name" = run ]; then
    pip install --no-compile --require-hashes --no-deps --only-binary :all: --requirement "$lock"
else
    pip install --no-compile --require-hashes --no-deps --only-binary :all: --requirement requirements/uv.txt
    uv --require-hashes --no-deps --only-binary :all: --requirement "$lock"
fi
# Source only, so it is built here, by what the set above installed.
[ "$name" != test ] || uv --require-hashes --no-deps --no-build-isolation --requirement requirements/spark.txt
pip install --no-deps --no-build-isolation --no-index --editable .
state "$lock" >"$stamp"
# A larger set holds the smaller ones at the same versions (tests/test_repository_locks.py keeps that true).
[ "$name" = run ] || state requirements/run.txt >.venv/.installed-run
[ "$name" != test ] || state requirements/loop.txt >.venv/.installed-loop
say "ready: .venv/bin/mlops-config ($(($(date +%s) - started)) s)"
