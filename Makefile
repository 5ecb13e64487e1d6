# Everything starts here, and needs nothing before it but make and Python 3.11 or newer (with its venv module).
# A lock names everything, so nothing is resolved when it is installed (--no-deps).
# The stamps in .venv/ make the second run of a target quick: each is renewed when what it was made from changes.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
PYTEST_ARGS ?=
LOCK_ARGS ?=
SECONDS ?= 600
ROUNDS ?= 5
ONLY ?=
BENCH_ARGS ?=

BIN := .venv/bin
# Side by side; who is done first takes of what lies before the others, so most files stay with one worker.
PYTEST := $(BIN)/pytest -n auto --dist worksteal
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header $(LOCK_ARGS)
UV := uv==0.13.9

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test fuzz soak bench coverage bounds check format lock clean

help: ## say what can be made
	@echo "Aether Bridge. What can be made:"
	@echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'
	@echo
	@echo "New here? \`make run\`, then open http://$(HOST):$(PORT) in a browser: V2 on one side, V3 on the other."
	@echo "Another Python: make run PYTHON=python3.13.  Another port: make run PORT=9000."
	@echo "Some tests:     make test PYTEST_ARGS=\"tests/compat -k heartbeat\"."

run: .venv/runtime ## serve on http://127.0.0.1:8000 with a Redis of its own (PORT=, HOST=)
	$(BIN)/aether-bridge serve --host $(HOST) --port $(PORT)

test: .venv/tests .venv/node_modules .venv/generator ## run the whole suite, side by side (PYTEST_ARGS=, as in PYTEST_ARGS="-n 0")
	$(PYTEST) $(PYTEST_ARGS)

fuzz: .venv/tests .venv/node_modules ## run the tests that fuzz, for ten minutes, each time with other examples (PYTEST_ARGS=)
	BRIDGE_TEST_FUZZ=true $(PYTEST) -m fuzz --override-ini=timeout=1200 $(PYTEST_ARGS)

soak: .venv/tests ## churn over all doors, with faults, for ten minutes: writes tests/faults/SOAK.md (SECONDS=)
	$(BIN)/python -m tests.faults.soak $(SECONDS)

bench: SECONDS = 2
bench: .venv/tests ## measure beside other servers, some 40 minutes: writes tests/bench/RESULTS.md (ROUNDS=, SECONDS=, ONLY=, BENCH_ARGS=)
	$(BIN)/python -m tests.bench.run --write --rounds $(ROUNDS) --seconds $(SECONDS) $(addprefix --only ,$(ONLY)) $(BENCH_ARGS)

coverage: .venv/tests .venv/node_modules .venv/generator ## run the suite and hold it to its branch coverage
	$(PYTEST) --cov --cov-report= --cov-fail-under=0 $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory bounds

bounds: ## hold the last run under --cov to its branch coverage
	$(BIN)/coverage report
	$(BIN)/coverage report --include='compat/*,v3/messages.py,v3/said.py,v3/heard.py,legacy_v2/frames.py,legacy_v2/session.py,v3/session.py' --fail-under=100

check: .venv/tests ## format, lint, types and the arrows between the packages: changes nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/tests ## format, and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: .venv/python ## pin the dependencies of pyproject.toml anew (LOCK_ARGS=--upgrade for newer ones)
	$(PIP) '$(UV)'
	$(COMPILE) pyproject.toml --extra build --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra test --constraints requirements.lock --output-file tests/requirements.lock \
		$$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.lock)
	echo 'openapi-python-client>=0.29,<0.30' | $(COMPILE) - --output-file tests/generator.lock

clean: ## remove what was made here
	rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Aether Bridge needs Python 3.11 or newer, and \`$(PYTHON)\` is not." >&2; \
		echo "Name one that is, as in: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "\`$(PYTHON)\` has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/runtime: .venv/python requirements.lock pyproject.toml
	$(PIP) --no-deps --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/tests: .venv/runtime tests/requirements.lock
	$(PIP) --no-deps --require-hashes --requirement requirements.lock --requirement tests/requirements.lock
	@$(BIN)/python -m pip check --quiet
	@touch $@

# A generator of clients from OpenAPI, which needs other versions of what a bridge uses.
.venv/generator: .venv/python tests/generator.lock
	$(BIN)/python -m venv --clear $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--requirement tests/generator.lock
	@touch $@

# What the tests use in Node. Where it cannot be had, its tests are skipped by name, and fail with CI=true.
# Tried again after 10 s (10,000 ms) at most: where no registry answers, nobody waits for minutes.
.venv/node_modules: .venv/python tests/package.json tests/package-lock.json
	@cp tests/package.json tests/package-lock.json .venv/
	@if command -v npm >/dev/null; then \
		npm ci --prefix .venv --omit=dev --no-audit --no-fund --loglevel=error \
			--fetch-retry-maxtimeout=10000 && touch $@ || \
		echo "npm could not install what the tests use in Node." >&2; \
	fi
