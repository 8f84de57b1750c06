# `make` prints the targets. Each sets up what it needs: Python 3.10 or later, git and make are enough to begin.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test check test-all check-check golden docs images bench clean

help: ## print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev --editable .
	@touch $@

setup: $(READY) ## make the development environment in .venv

demo: $(READY) ## run the abalone pipeline, on Docker where it can be, else on the process runner
	$(BIN)/python scripts/demo.py

test: $(READY) ## the tests that need no Docker engine
	$(BIN)/python -m pytest -m "not docker and not slow" tests

check: $(READY) ## format, lint, types, architecture, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/python -m pytest -q -m "not slow" tests/test_architecture.py tests/test_docs.py

test-all: $(READY) ## every test; what this machine cannot run is skipped with its reason
	$(BIN)/python -m pytest tests

check-check: $(READY) ## prove that the linters and the architecture test can fail
	$(BIN)/python scripts/check_check.py

golden: $(READY) ## write the golden files anew; review the difference
	LOCALPIPE_TEST_GOLDEN=write $(BIN)/python -m pytest -q tests/golden

docs: $(READY) ## write the generated reference pages
	$(BIN)/python scripts/make_docs.py

images: $(READY) ## build the images that samples and tests use (BASE=... names a base image on this machine)
	$(BIN)/localpipe images build scikit-learn:0.23-1 scikit-learn:1.2-1 xgboost:1.0-1 xgboost:1.5-1 base-python-311:1.0 pytorch:2.13 spark:3.5 $(if $(BASE),--base $(BASE))

bench: $(READY) ## benchmarks: side by side with bare loops (SDK=PYTHON: and with its local mode), then without containers
	$(BIN)/python benchmarks/compare.py $(if $(SDK),--sdk $(SDK)) $(if $(COMPOSE),--compose $(COMPOSE))
	$(BIN)/python benchmarks/report.py plan startup

clean: ## remove what make made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
