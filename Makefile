# nightrec. `make nightly` runs a night on the demo site, `make test` runs the tests; both set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup nightly test check format lock clean

setup: $(READY)

# Pinned by requirements.lock; repeated only when that file or pyproject.toml changes, so it works offline afterwards.
$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nightrec needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	$(BIN)/python -m recmodels.precompile
	touch $@

nightly: $(READY)
	$(BIN)/nightrec run

# BLAS with a thread for each core in each of the workers would mostly wait for cores.
test: $(READY)
	OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pin what is installed now.
lock:
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf store .pytest_cache .ruff_cache .mypy_cache .hypothesis
