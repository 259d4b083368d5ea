# One command does each thing: `make` lists them. Only Python 3.11 to 3.14, git and make have to be there.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
ENVIRONMENT = prod
# Processes the tests run in: one more than processors, since the tests of whole systems wait a quarter of their time.
# Each starts its own servers, so more than four gain little.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
PYTEST_ARGS ?=
# Output of targets that run side by side stays in one piece where make can do that (GNU make 4 and later).
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
PYTEST := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --maxprocesses=4 --dist=loadscope --no-loadscope-reorder
# COVERAGE=tests measures the test processes, COVERAGE=processes also every process that they start: both take longer.
COVERAGE ?=
COVERED := $(if $(COVERAGE),--cov --cov-report=term:skip-covered --cov-report=xml:.cache/coverage.xml)
export COVERAGE_PATCH := $(if $(filter processes,$(COVERAGE)),subprocess,_exit)

.PHONY: help setup setup-test environments run loop rehearse terraform test check lint types unit e2e docs bench lock services services-stop \
	terraform-program checked clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with .venv/bin/mlops-config from the hash-locked requirements
	@tools/setup.sh run

setup-test: ## Add what the tests, linters and generators need
	@tools/setup.sh test

environments: setup-test ## Make what cannot live in .venv: Airflow 3.3 and 3.1, stand-in for Terraform's providers, checkov
	@$(BIN)/python tools/environments.py

run: setup ## Release configs/prod into the local store .mlops-config/store (ENVIRONMENT=dev for another)
	@$(BIN)/mlops-config release --environment '$(ENVIRONMENT)'

loop: ## See the loop close on this machine: drift, retraining, redeployment, rollback (ARGS=--keep: leave it running)
	@tools/setup.sh loop
	@$(BIN)/python tools/environments.py airflow-3.3
	@$(BIN)/python tools/services.py need prometheus promtool
	@$(BIN)/python -m tools.loop $(ARGS)

rehearse: setup-test ## Plan and apply every environment on AWS and Google Cloud against stand-ins: no account (ARGS="--cloud aws")
	@$(BIN)/python tools/environments.py provider
	@$(BIN)/python tools/terraform.py
	@$(BIN)/python -m tools.rehearsal $(ARGS)

terraform: setup-test ## Check every module and root module: format, schema, tests, security (ARGS=modules/airflow/aws)
	@$(BIN)/python tools/environments.py provider checkov
	@$(BIN)/python tools/terraform.py
	@$(BIN)/python -m tools.check_terraform $(ARGS)

# A service that does not come up stops nothing here: the tests that need it fail or are skipped, and say why.
# Nor does a linter: everything runs, then any failure fails the whole, and what the linters said comes last.
test: setup-test ## Everything: linters, types, all tests (as root on Debian: installs what is missing)
	@mkdir -p .cache
	@$(MAKE) --keep-going --jobs=4 $(SYNC) environments services terraform-program checked || true
	@$(PYTEST) $(COVERED) --durations=10 $(PYTEST_ARGS); tested=$$?; \
	cat .cache/check.log; [ "$$(cat .cache/check.code)" -eq 0 ] && exit $$tested

check: setup-test ## Linters and types, side by side
	@$(MAKE) -j2 $(SYNC) lint types

lint: setup-test ## ruff (the other linters are tests: tests/test_repository_linters.py)
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet . && echo 'lint: fine'

types: setup-test ## mypy --strict
	@$(BIN)/mypy --no-error-summary && echo 'types: fine'

unit: setup-test ## Tests that need no service
	$(PYTEST) $(COVERED) -m 'not e2e' $(PYTEST_ARGS)

e2e: setup-test services ## Tests on real parts: engine, registry, object store, workflows
	$(PYTEST) $(COVERED) -m e2e $(PYTEST_ARGS)

docs: setup-test ## Write every generated page, schema and table anew
	@for tool in $$(grep -l -e '"--check"' tools/*.py); do $(BIN)/python "$$tool" || exit; done

bench: environments ## Measure against the peers and write docs/benchmarks.md (ONLY=dags: that section alone)
	@$(BIN)/python benchmarks/report.py $(ONLY)

lock: setup-test ## Resolve the dependencies anew (UPGRADE=1: to their newest versions)
	@tools/lock.sh $(if $(UPGRADE),--upgrade)

services: setup-test ## Install (Debian, root) and start what the end-to-end tests need
	@$(BIN)/python tools/services.py up

checked: setup-test
	@$(MAKE) $(SYNC) lint types > .cache/check.log 2>&1; echo $$? > .cache/check.code

terraform-program: setup-test
	@$(BIN)/python tools/terraform.py

services-stop: ## Stop the Docker engine that `make services` started
	@$(BIN)/python tools/services.py down

clean: ## Remove what the targets above made
	@rm -rf .venv .cache .mlops-config .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* dist
