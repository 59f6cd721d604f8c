# `make help` lists what there is.
#
# PYTHON picks the interpreter of a new environment; TORCH another torch, in an environment of its
# own. ARGS is passed on: make test ARGS='-k resume', make demo ARGS=--help.
TORCH ?=
ARGS ?=
ENV := .venv$(if $(TORCH),-torch$(TORCH))
# Absolute, because mim and the tests start programs from other folders.
BIN := $(CURDIR)/$(ENV)/bin

.PHONY: help env demo docs test lint

help: ## list the targets
	@awk -F ': .*## ' '/^[a-z]+: .*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: ## build the environment, or see that it is up to date
	@PYTHON='$(PYTHON)' TORCH='$(TORCH)' bash tools/setup_env.sh

demo: env ## train a detector without and with PixCon on built-in scenes and compare
	@PATH="$(BIN):$$PATH" $(BIN)/python tools/demo.py $(ARGS)

docs: env ## build the documentation site into work_dirs/site
	@$(BIN)/python -m pip install -q -c requirements/constraints.txt -r requirements/docs.txt
	@$(BIN)/python -m sphinx -W --keep-going -q docs work_dirs/site $(ARGS)
	@echo 'work_dirs/site/index.html'

lint: env ## check style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

test: lint ## check style and run all tests
	@PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)
