# The two commands are `make demo` and `make test`. Each sets everything up first (see tests/prepare.sh) and is quick
# the second time: stamps in .venv tell what is done.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SET_UP := PYTHON="$(PYTHON)" VENV="$(VENV)" sh tests/prepare.sh

# Packages of Node, each project with its lock file beside it: the player of the console, and what tests use.
PLAYER := bastion/api/console/node_modules/.stamp
NODE_LOCKS := $(wildcard tests/system/*/package-lock.json)
NODE_STAMPS := $(NODE_LOCKS:package-lock.json=node_modules/.stamp) $(PLAYER)

.PHONY: demo test lint bench measure hunt clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory $(PLAYER) || echo "bastion: the console goes without its player" >&2
	$(BIN)/python -m bastion demo --show

# The laws first: they take half a minute, and one that is broken should not wait half an hour to be told.
test: $(VENV)/.test lint $(NODE_STAMPS)
	$(BIN)/pytest -m "not slow" tests/laws
	$(BIN)/pytest -m "not slow" --ignore=tests/laws

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks

# What the analysis and the shipped policies make of collections of command lines: make measure FILES="a.jsonl b.jsonl"
measure: $(VENV)/.test
	$(BIN)/python -m tests.measure $(FILES)

# Long: everything that is fuzzed, with many more examples, and what is marked slow.
hunt: $(VENV)/.test $(NODE_STAMPS)
	HYPOTHESIS_PROFILE=hunt $(BIN)/pytest --timeout=3600 -m "slow or not system"

$(VENV)/.demo: setup.cfg pyproject.toml tests/prepare.sh
	$(SET_UP) demo

$(VENV)/.test: setup.cfg pyproject.toml tests/prepare.sh
	$(SET_UP) test

tests/system/%/node_modules/.stamp: tests/system/%/package-lock.json $(VENV)/.test
	cd $(dir $<) && npm ci --no-audit --no-fund
	touch $@

$(PLAYER): bastion/api/console/package-lock.json
	cd $(dir $<) && npm ci --no-audit --no-fund --omit=dev --ignore-scripts
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist *.egg-info
	rm -rf tests/system/*/node_modules bastion/api/console/node_modules
