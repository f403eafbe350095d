# Needs make and Python 3.11. Everything else is installed into .venv, once: each target adds what it needs.

PYTHON ?= python3.11
ARGS ?=

BIN := .venv/bin
RUNNING := plot,parameters
TESTING := dev
# What is tested beside, each with an extra dev-NAME, constraints-NAME.txt and tests/with_NAME.
BESIDE := torch trackers ray
PARALLEL := -n auto --dist worksteal
PIP_INSTALL := -m pip install -qq --no-input --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test $(BESIDE:%=test-%) lint constraints
# Two installations into one environment wait for each other.
.NOTPARALLEL:
# Tests start many processes, and pytest rewrites every test: bytecode is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
# The stamps are kept, although a rule for all of them makes them.
.PRECIOUS: .venv/.with-%

help:  ## list these targets
	@echo 'usage: make TARGET [ARGS="..."] [PYTHON=python3.11]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s%s\n", $$1, $$2 }' Makefile

run: .venv/.with-$(RUNNING)  ## measure plateaus on the linear map; ARGS adds options
	@$(BIN)/attnsearch run --task linear_map --sparsity 0.5 $(ARGS)

test: .venv/.with-$(RUNNING) .venv/.with-$(TESTING)  ## run the tests; ARGS goes to pytest
	@$(BIN)/python -m pytest $(PARALLEL) $(BESIDE:%=--ignore=tests/with_%) $(ARGS)

# In the same environment, and only where it is asked for: torch comes with the libraries of CUDA. make lint then
# checks its types too.
test-torch:  ## run the tests that need torch
test-trackers:  ## run the tests that need tensorboard, wandb or mlflow
# One cluster for all of its tests, whose nodes are what runs at once.
test-ray: PARALLEL := -n0
test-ray:  ## run the tests that need ray
$(BESIDE:%=test-%): test-%: .venv/.with-$(RUNNING) .venv/.with-$(TESTING) .venv/.with-dev-%
	@$(BIN)/python -m pytest $(PARALLEL) tests/with_$* $(ARGS)

lint: .venv/.with-$(RUNNING) .venv/.with-$(TESTING)  ## check style, format and types
	@echo 'ruff check' && $(BIN)/ruff check .
	@echo 'ruff format --check' && $(BIN)/ruff format --check .
	@echo 'pyright' && PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

constraints:  ## resolve the newest dependencies into the constraints
	@echo 'Resolving the newest dependencies in a fresh environment'
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch/venv" && \
	"$$scratch/venv/bin/python" $(PIP_INSTALL) '.[$(RUNNING),$(TESTING)]' && \
	"$$scratch/venv/bin/python" -m pip freeze --exclude attnsearch > "$$scratch/constraints.txt" && \
	for name in $(BESIDE); do \
	    cat "$$scratch"/constraints*.txt > "$$scratch/known" && \
	    "$$scratch/venv/bin/python" $(PIP_INSTALL) -c "$$scratch/known" ".[dev-$$name]" && \
	    "$$scratch/venv/bin/python" -m pip freeze --exclude attnsearch | sed 's/+[a-z0-9.]*$$//' | \
	        grep -vxFf "$$scratch/known" > "$$scratch/constraints-$$name.txt" || exit 1; \
	done && \
	cp "$$scratch"/constraints*.txt . && \
	wc -l constraints*.txt

# One stamp for each set of extras. An environment that is already there is added to; it is brought up to date when
# one of the files changes.
.venv/.with-%: pyproject.toml constraints.txt $(BESIDE:%=constraints-%.txt)
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        echo '$(PYTHON) was not found or is older than 3.11: install Python 3.11, or name yours with make PYTHON=...' >&2; \
	        exit 1; \
	    fi; \
	    echo 'Creating .venv with $(PYTHON)'; \
	    $(PYTHON) -m venv .venv; \
	fi
	@echo 'Installing attnsearch[$*] into .venv (a minute or more)'
	@$(BIN)/python $(PIP_INSTALL) -c constraints.txt $(BESIDE:%=-c constraints-%.txt) -e '.[$*]'
	@touch $@
	@echo 'Installed'
