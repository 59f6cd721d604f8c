# `make help` lists what there is.
#
# PYTHON picks the interpreter of a new environment; TORCH another torch and MMCV=compiled a compiled
# mmcv, each in an environment of its own; VENV another folder for it. ARGS is passed on:
# make test ARGS='-k resume', make demo ARGS=--help.
PYTHON ?=
TORCH ?=
MMCV ?= lite
ARGS ?=
VENV ?= .venv$(if $(TORCH),-torch$(TORCH))$(if $(filter-out lite,$(MMCV)),-$(MMCV))
# Absolute, because mim and the tests start programs from other folders.
BIN := $(abspath $(VENV))/bin
SETUP := PYTHON='$(PYTHON)' TORCH='$(TORCH)' MMCV='$(MMCV)' VENV='$(VENV)' bash tools/setup_env.sh
PYTEST = PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help env test-env demo docs lint test test-fast

help: ## list the targets
	@awk -F ': .*## ' '/^[a-z-]+: .*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: ## build the environment, or see that it is up to date
	@$(SETUP)

test-env: ## the same with what the tests need
	@TESTS=1 $(SETUP)

demo: env ## see whether pretraining on photos helps a detector with few labels, in ten minutes
	@PATH="$(BIN):$$PATH" $(BIN)/python tools/demo.py $(ARGS)

docs: env ## build the documentation site into work_dirs/site
	@PIP_CONSTRAINT='$(abspath $(VENV))/.setup/constraints.txt' \
		$(BIN)/python -m pip install -q -r requirements/docs.txt
	@$(BIN)/python -m sphinx -W --keep-going -q docs work_dirs/site $(ARGS)
	@echo 'work_dirs/site/index.html'

lint: test-env ## check style, types, spelling, tables of the pages and settings of the rows
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/codespell
	@$(BIN)/python tools/misc/prose.py
	@$(BIN)/python tools/misc/readme_tables.py --check
	@$(BIN)/python -W ignore tools/misc/paper_rows.py --check

test: lint ## check style and run all tests
	@$(PYTEST) $(ARGS)

test-fast: test-env ## run the tests that take no time, within two minutes
	@$(PYTEST) -m 'not slow and not install and not pages' $(ARGS)
