# Helios: `make demo` runs the whole desk, `make test` proves it. Both set themselves up.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?=
PAIR ?=

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: $(VENV)/.installed ## create the environment with the exact versions of the lock file

$(VENV)/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Helios needs Python 3.11 to 3.13, found {v.major}.{v.minor}; set PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c requirements.lock -e ".[dev,bench]"
	$(BIN)/helios features warm
	@touch $@

demo: env ## the whole desk on real, public or generated candles: make demo [DATA=candles.csv PAIR=BTCUSDT]
	@$(BIN)/helios demo $(if $(DATA),--data "$(DATA)") $(if $(PAIR),--pair $(PAIR))

test: env check ## everything: checks, unit, property, database, notebook and Prefect tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not alone"
	$(BIN)/python -m pytest -m alone
	@$(MAKE) --no-print-directory test-notebooks

test-notebooks: env ## the notebooks with their defaults, in order, on a desk of their own
	@desk=$$(mktemp -d) && chmod 755 $$desk \
	&& export HELIOS_HOME=$$desk HELIOS_RUNS=$$desk/runs HELIOS_MODELS=$$desk/models \
	&& trap '$(BIN)/helios db down; rm -rf '$$desk EXIT \
	&& $(BIN)/helios db up \
	&& $(BIN)/python -m pytest --nbval --nbval-current-env -p no:randomly notebooks/00_tour.ipynb \
	&& $(BIN)/python -m pytest --nbval-lax --nbval-current-env -p no:randomly notebooks

test-fast: env ## the tests that need no server and take less than ten seconds each
	$(BIN)/python -m pytest -m "not slow and not db and not notebook" -n 2

check: env ## lint, format, types, import rules, style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/python -m pytest -q -p no:randomly tests/style

lock: env ## write requirements.lock from this environment
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//' > requirements.lock

docs: env ## regenerate .env.example and docs/features.md
	$(BIN)/helios config example > .env.example
	$(BIN)/helios features doc > docs/features.md

lab: env ## JupyterLab on 127.0.0.1 with a token
	@$(BIN)/helios lab

clean: ## stop the servers of this desk and remove its environment; data in .helios and runs stay
	-@test -x $(BIN)/helios && $(BIN)/helios flow down && $(BIN)/helios db down
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help env demo test test-notebooks test-fast check lock docs lab clean
