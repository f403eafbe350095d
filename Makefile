# Needs make and Python 3.11. Everything else is installed into .venv, once.

PYTHON ?= python3.11
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
PIP_INSTALL := -m pip install -qq --no-input --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test lint constraints

help:  ## list these targets
	@echo 'usage: make TARGET [ARGS="..."] [PYTHON=python3.11]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-13s%s\n", $$1, $$2 }' Makefile

run: $(INSTALLED)  ## measure plateaus on the linear map; ARGS adds options
	@$(BIN)/attnsearch run --task linear_map --sparsity 0.5 $(ARGS)

test: $(INSTALLED)  ## run the tests; ARGS goes to pytest
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(INSTALLED)  ## check style, format and types
	@echo 'ruff check' && $(BIN)/ruff check .
	@echo 'ruff format --check' && $(BIN)/ruff format --check .
	@echo 'pyright' && PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

constraints:  ## resolve the newest dependencies into constraints.txt
	@echo 'Resolving the newest dependencies in a fresh environment'
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch/venv" && \
	"$$scratch/venv/bin/python" $(PIP_INSTALL) '.[plot,parameters,dev]' && \
	"$$scratch/venv/bin/python" -m pip freeze --exclude attnsearch > "$$scratch/constraints.txt" && \
	cp "$$scratch/constraints.txt" constraints.txt && \
	echo "constraints.txt pins $$(wc -l < constraints.txt) packages"

# An environment that is already there is reused; it is brought up to date when either file changes.
$(INSTALLED): pyproject.toml constraints.txt
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        echo '$(PYTHON) was not found or is older than 3.11: install Python 3.11, or name yours with make PYTHON=...' >&2; \
	        exit 1; \
	    fi; \
	    echo 'Creating .venv with $(PYTHON)'; \
	    $(PYTHON) -m venv .venv; \
	fi
	@echo 'Installing attnsearch and its tools into .venv (a minute or more)'
	@$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e '.[plot,parameters,dev]'
	@touch $@
	@echo 'Installed'
