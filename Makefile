# Everything that continuous integration does is a target here. A fresh machine needs make and Python 3.11 or newer.
# PYTHON=… chooses the interpreter; VENV=… another place for the virtual environment.
.DEFAULT_GOAL := help
.PHONY: help demo test test-optimized test-user test-engines check bench faults schedules lowest clean distclean system static format lint types contracts graph docs

VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
WORKERS ?= 2

help: ## say what the targets do
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

# Stores are read-only.
discard = if [ -d $(1) ]; then chmod -R u+w $(1) && rm -rf $(1); fi

demo: $(READY) ## train five forests on handwritten digits, keep the best; again; and again with one change
	@$(call discard,build/demo)
	@$(PY) scripts/demo.py

test: system static ## all checks and all tests: what continuous integration runs
	@$(PY) -m pytest -q -n $(WORKERS)
	@$(MAKE) -s test-optimized WORKERS=0 TESTS="$(SAMPLE)"
	@$(MAKE) -s test-user WORKERS=0 TESTS="$(SAMPLE)"

# What is run once more with other powers in `make test`.
SAMPLE = tests/test_asserts.py tests/store/test_layout.py tests/store/test_overview.py tests/engine/test_failing.py tests/session/test_isolation.py

test-optimized: $(READY) ## the tests under python -O, which drops the asserts of the package; TESTS=… names some
	@PYTHONOPTIMIZE=1 $(PY) -m pytest -q -n $(WORKERS) -W "ignore:assertions not in test modules" $(TESTS)

test-user: $(READY) ## the tests as an ordinary user, whom modes can stop; root becomes one; TESTS=… names some
	@sh scripts/as_user.sh $(abspath $(PY)) -m pytest -q -n $(WORKERS) -p no:cacheprovider $(or $(TESTS),--ignore tests/project)

test-engines: system $(READY) ## the whole contract of executors on loky, Dask, Slurm and Python's own pool; make test has a sample
	@PYLIGHTNIX_ENGINES=1 $(PY) -m pytest -q tests/executors/test_pools.py tests/executors/test_slurm.py

check: static docs ## format, lint, types, import contracts, examples in the documentation

bench: $(READY) ## measure against floors; a quick sample: make bench SCALE=0.1
	@$(PY) -m bench --scale $(or $(SCALE),1)

faults: $(READY) ## kill, refuse, preempt and cut power at every change of every operation; a sample: make faults MOST=10
	@$(PY) -m faults $(if $(MOST),--most $(MOST))

schedules: $(READY) ## thousands of chosen interleavings of realizes, collections and verifies; COUNT=… of each kind (default 2000)
	@PYLIGHTNIX_SCHEDULES=$(or $(COUNT),2000) $(PY) -m pytest -q -n $(WORKERS) -k "made_once or chosen_is_there" \
		tests/engine/test_schedules.py tests/store/collection/test_beside.py

lowest: ## the tests with the oldest versions that pyproject.toml allows
	@PYTHON="$(PYTHON)" sh scripts/setup.sh .venv-lowest
	@.venv-lowest/bin/python scripts/lowest.py | xargs .venv-lowest/bin/python -m pip install -q --no-deps
	@.venv-lowest/bin/python -m pytest -q -n $(WORKERS) --ignore tests/project

clean: ## remove what the other targets made, but for the virtual environment
	@$(call discard,build)
	@rm -rf dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environments too
	@rm -rf .venv .venv-lowest $(VENV)

$(READY): pyproject.toml requirements-dev.txt scripts/setup.sh src/pylightnix/executors/_glance.c
	@PYTHON="$(PYTHON)" sh scripts/setup.sh $(VENV)
	@touch $@

system: # programs that tests need beside Python, where they can be installed
	@sh scripts/system.sh
	@sh scripts/hello.sh

static: format lint types contracts graph

format: $(READY)
	@$(PY) -m ruff format --check --quiet . || { echo "Not formatted: run $(PY) -m ruff format"; exit 1; }
	@echo "format: as ruff would"

lint: $(READY)
	@$(PY) -m ruff check --quiet .
	@echo "lint: clean"

types: $(READY)
	@$(PY) -m mypy src examples scripts bench faults
	@$(PY) scripts/typing_samples.py

contracts: $(READY)
	@$(VENV)/bin/lint-imports --no-logo

graph: $(READY)
	@$(PY) scripts/import_graph.py --check

docs: $(READY)
	@$(PY) -m pytest -q tests/project
