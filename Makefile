# The commands of this repository. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
# Starting is a matter of imports: without their cached bytecode it takes three times as long.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install up down test check format lock models tools bench images picture clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): requirements/dev.txt requirements/uv.txt pyproject.toml tools/install
	@tools/install $(PYTHON)

install: $(INSTALLED) ## make .venv and install what is missing or out of date

up: $(INSTALLED) ## run every service on this machine
	@$(BIN)/quintet up

down: $(INSTALLED) ## stop what `make up` started
	@$(BIN)/quintet down

test: $(INSTALLED) ## run the test suite
	@$(BIN)/pytest $(PYTEST_ARGS)

check: $(INSTALLED) ## linters, types, rooms, locks
	@tools/check

format: $(INSTALLED) ## format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: $(INSTALLED) ## resolve requirements/*.txt anew from pyproject.toml
	@tools/lock

models: $(INSTALLED) ## train the starter models (an environment of its own, with torch: 5 GB)
	@tools/models

tools: ## bring the Pulumi CLI and a Kubernetes API server (from PATH, or built with Go: 5 minutes each)
	@tools/build-tools

bench: $(INSTALLED) ## measure the speeds that docs/benchmarks.md states
	@$(BIN)/python -m benchmarks

images: $(INSTALLED) ## build the services' container images with Docker
	@$(BIN)/quintet images

picture: $(INSTALLED) ## draw docs/images/quintet.svg from the program
	@$(BIN)/python tools/picture.py

clean: down ## remove .venv, caches and the sandbox's data
	@rm -rf .venv .venv-models .venv-bench .quintet .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
