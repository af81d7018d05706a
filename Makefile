# nightrec. `make nightly` runs a night on the demo site, `make test` runs the tests; both set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup nightly test test-fast coverage bench check format docs graph wheel lock audit check-deployments pin-images clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name does; do printf '  %-12s %s\n' "$$name" "$$does"; done

setup: $(READY)  ## an environment in .venv with everything that development needs

# PyTorch first, by the build that pip is told to take. Every file that is installed has a hash in requirements.lock; then nightrec itself, and what only this platform needs
# (libraries of CUDA, say). Repeated only when those files change, so it works offline afterwards.
$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nightrec needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m deployments.lock pins > $(VENV)/pins.txt
	rm -rf $(VENV)/torch
	$(BIN)/python -m pip download --quiet --no-deps --constraint $(VENV)/pins.txt --dest $(VENV)/torch torch
	$(BIN)/python -m deployments.lock check $(VENV)/torch/*.whl
	$(BIN)/python -m pip install --quiet --no-deps $(VENV)/torch/*.whl
	rm -rf $(VENV)/torch
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[dev]'
	$(BIN)/python -m recmodels.precompile
	touch $@

nightly: $(READY)  ## a night on the demo site, in ./store
	$(BIN)/nightrec run

# BLAS with a thread for each core in each of the workers would mostly wait for cores. Bytecode is kept, whatever the
# environment says: each of the many processes that the tests start would compile the same sources again.
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

# Where processes can be forked, those that run the tests have imported and collected everything at once.
IN := $(if $(filter Linux,$(shell uname)),--forks,--dist loadfile --no-loadscope-reorder -n)

test: $(READY)  ## all tests, in five minutes on two cores
	$(PYTEST) $(IN) 4

test-fast: $(READY)  ## the tests that start no server, browser or night of their own, in less than one minute
	$(PYTEST) $(IN) 2 -m 'not (slow or server or browser)'

coverage: $(READY)  ## all tests, and which lines they run: in the terminal, and as pages in htmlcov/
	$(PYTEST) $(IN) 3 --cov --cov-report=term:skip-covered --cov-report=html

bench: $(READY)  ## a few quick benchmarks, kept by commit, and what became slower than before
	$(BIN)/python -m tests.benchmarks.record

check: $(READY)  ## lint, format, types, the order of the packages, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(READY)  ## lint and format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## the documentation's site in build/docs, with every link checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

graph: $(READY)  ## draw the pictures of the architecture page
	$(BIN)/python -m docs.site.graph

wheel: $(READY)  ## the wheel, in dist/
	rm -rf build/lib build/bdist.*
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: $(READY)  ## pin what is installed now in requirements.lock, with the hashes of its files
	$(BIN)/python -m pip install --quiet uv
	mkdir -p build
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip --exclude uv | sed 's/+cpu$$//' > build/pins.txt
	$(BIN)/uv pip compile --quiet --no-deps --no-header --no-annotate --generate-hashes build/pins.txt -o build/new.lock
	$(BIN)/python -m deployments.lock merge build/new.lock > build/merged.lock
	mv build/merged.lock requirements.lock

audit:  ## known vulnerabilities of what is pinned; skipped where nobody can be asked
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet pip-audit || { echo 'skipped: pip-audit cannot be installed here'; exit 0; }; \
	rm -f build/audit.json; \
	build/audit/bin/pip-audit --disable-pip --require-hashes -r requirements.lock --format json -o build/audit.json && exit 0; \
	test -s build/audit.json || { echo 'skipped: no list of vulnerabilities can be reached'; exit 0; }; \
	exit 1

check-deployments:  ## the Helm chart and the manifests, by Helm and Kubernetes' schemas; needs kubectl, and the index once
	test -x build/deployments/bin/python || $(PYTHON) -m venv build/deployments
	build/deployments/bin/pip install --quiet helm-python-sdk kubernetes-validate pyyaml
	build/deployments/bin/python -m deployments.check

pin-images:  ## the digests of the images that are built from and run, as the registry says them; needs docker with buildx
	$(PYTHON) -m deployments.pins

clean:  ## remove what was made here, the store of ./store and .venv's caches included, but not .venv
	rm -rf store build dist htmlcov .coverage .coverage.* *.egg-info
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
