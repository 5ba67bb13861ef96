# One name for each check, the same here, in pre-commit and in CI. `make` alone lists the names.
# Everything lands in this folder: .uv holds the installer, .venv the environment.

PYTHON ?= python3
BIN := .venv/bin
UV := .uv/bin/uv
PINS := --constraints constraints.txt --build-constraints constraints.txt

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The Python that is here, never a downloaded one; the wheels of torch are large.
export UV_PYTHON_DOWNLOADS := never
export UV_HTTP_TIMEOUT ?= 300

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.stamp ## install the project and its tools into .venv

# Compiled as it is installed: with PYTHONDONTWRITEBYTECODE, as in many containers, each command would compile torch anew.
.venv/.stamp: pyproject.toml constraints.txt | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python .uv/bin/python .venv
	$(UV) pip install --python $(BIN)/python $(PINS) --compile-bytecode --editable '.[dev]'
	@touch $@

$(UV): # a bootstrap environment of its own, so that nothing outside this folder changes
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 or newer is needed: make setup PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv --clear .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

.PHONY: quickstart
quickstart: setup ## teach Whisper a language that it does not know, in minutes
	$(BIN)/python tools/quickstart.py

.PHONY: weights
weights: setup ## fetch the Whisper-base weights (quick when they are there)
	$(BIN)/python tools/fetch_weights.py --keep-ctranslate2

test test-fast: export HF_HUB_OFFLINE := 1
# Tiny models are fastest with a thread each; tests of one file share what they made, so a process takes whole files.
test test-fast: export OMP_NUM_THREADS := 1
SPREAD := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: test
test: setup weights ## run every test (more flags for pytest: make test ARGS="-k prompts")
	$(BIN)/pytest $(SPREAD) $(ARGS)

.PHONY: test-fast
test-fast: setup ## run the tests that need no weights and little time
	$(BIN)/pytest $(SPREAD) -m "not real_weights and not slow" $(ARGS)

.PHONY: lint
lint: setup ## check style and format, then types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(MAKE) --no-print-directory types layers

.PHONY: format
format: setup ## format the code and fix what ruff can
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

.PHONY: types
types: setup ## check the types
	$(BIN)/mypy

.PHONY: layers
layers: setup ## check that imports point down only
	$(BIN)/lint-imports --no-logo

.PHONY: package
package: setup ## build the wheel, install it alone in a fresh environment and run it
	rm -rf build dist
	$(UV) build --quiet --wheel --build-constraints constraints.txt --out-dir dist
	$(UV) venv --quiet --python $(BIN)/python build/venv
	$(UV) pip install --quiet --python build/venv/bin/python --constraints constraints.txt dist/*.whl
	cd build && venv/bin/spt-whisper --help
	cd build && venv/bin/python -c 'from importlib.resources import files; \
	  recipes = sorted(path.name for path in files("spt_whisper").joinpath("recipes").iterdir()); \
	  print("recipes in the wheel:", *recipes); assert recipes, "none"'
	cd build && venv/bin/python -c 'import spt_whisper; \
	  print("public names:", *(name for name in spt_whisper.__all__ if getattr(spt_whisper, name)))'
	rm -rf build

.PHONY: docs
docs: setup ## build the book into site/ (open site/index.html); what a page gets wrong ends it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: clean
clean: ## remove what the tools leave behind (.venv, data and runs stay)
	rm -rf build dist site *.egg-info .import_linter_cache .hypothesis
	find . \( -path ./.venv -o -path ./.uv -o -path ./.git -o -path ./data -o -path ./runs \) -prune -o -type d \
	  \( -name __pycache__ -o -name .pytest_cache -o -name .mypy_cache -o -name .ruff_cache \) -prune -exec rm -rf {} +
