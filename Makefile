# Clarin: `make dev` sets up and runs everything, `make test` sets up and passes every test.
SHELL := /bin/sh
# The first Python that is young enough.
PYTHON ?= $(or $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done),\
	$(error Clarin needs Python 3.11 or later: install one, or name it with PYTHON=))
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := libs/contracts libs/servicekit $(wildcard services/*) sim bench local
STAMP := $(VENV)/.synced
SOURCES := $(foreach m,$(MEMBERS),$(m)/src)
# The machine's own node where it is 20 or later, else the one that the lock brings.
NODE_PATH_FIRST = $(shell node -e 'process.exit(Number(parseInt(process.versions.node) < 20))' 2>/dev/null || echo '$(CURDIR)/$(BIN):')
NPM = cd web && PATH="$(NODE_PATH_FIRST)$$PATH" npm
PANEL := $(if $(wildcard web/package.json),web/dist/index.html)
PANEL_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)
DATA ?= .data
PORT ?= 8080
NAME ?= inbound

.DEFAULT_GOAL := help
.PHONY: help setup lock dev dev-backend dev-frontend test check format generate docs bench soak fuzz up down restart logs db build migrate clean

help: ## Show these recipes.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) $(PANEL) ## Make .venv from the lock, and build the panel.

# The lock names uv too, with its hashes: pip brings uv, uv brings the rest.
$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(MEMBERS))
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv $(VENV)
	@awk '/^uv==/{on=1} on{print} on&&!/\\$$/{exit}' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(foreach m,$(MEMBERS),-e ./$(m))
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json | $(STAMP)
	@$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(PANEL_SOURCES)
	@$(NPM) run --silent build -- --logLevel warn
	@touch $@

lock: ## Resolve the dependencies anew and write requirements.lock (hashes, every platform, no host).
	@$(BIN)/uv lock --quiet --upgrade
	@$(BIN)/uv export --quiet --all-packages --all-groups --no-emit-workspace --no-header --no-annotate --format requirements-txt > requirements.lock
	@rm -f uv.lock

dev: setup ## Run everything on this machine with a demo account, numbers and customers (PORT=, DATA=).
	@$(BIN)/clarin up --demo --data $(DATA) --port $(PORT)

dev-backend: $(STAMP) ## Run everything but the panel.
	@$(BIN)/clarin up --data $(DATA) --port $(PORT)

dev-frontend: web/node_modules/.package-lock.json ## Run the panel from its sources, against `make dev-backend`.
	@$(NPM) run dev

test: setup ## Pass every test; what is skipped fails, but for Docker where there is none.
	@$(BIN)/python -m clarin.suites

check: setup ## Format, lint, types, imports, generated files, stray hosts and paths, the panel's own checks.
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary $(SOURCES)
	@$(BIN)/lint-imports --no-cache --config pyproject.toml >$(VENV)/imports.txt 2>&1 || { cat $(VENV)/imports.txt; exit 1; }
	@$(BIN)/python -m servicekit.migrations lint $(wildcard services/*/migrations)
	@$(BIN)/python -m clarin.checks
	@test ! -f web/package.json || ($(NPM) run --silent check)

format: $(STAMP) ## Write every file as `make check` wants it.
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .
	@test ! -f web/package.json || ($(NPM) run --silent format)

generate: $(STAMP) ## Write docs/events.md and the panel's API client anew.
	@$(BIN)/python docs/generate.py
	@test ! -f web/openapi.json || ($(NPM) run --silent generate)

docs: $(STAMP) ## Build the site of the documentation into build/docs; a dead link fails.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: $(STAMP) ## Measure: NAME=inbound, sessions, failover, … ; against what runs on DATA=.
	@$(BIN)/clarin bench $(NAME) --json

soak: $(STAMP) ## Run traffic for MINUTES (60) over SESSIONS (200), a worker recycled every RECYCLE (5); then the long accidents.
	@$(BIN)/clarin bench soak --minutes $(or $(MINUTES),60) --sessions $(or $(SESSIONS),200) --workers $(or $(WORKERS),2) \
		--rate $(or $(RATE),10) --recycle $(or $(RECYCLE),5) --json
	@test -n "$(NO_FAULTS)" || $(BIN)/clarin bench faults --json

fuzz: $(STAMP) ## Try requests of every kind against the whole API, then many more examples in every property test, for MINUTES (10).
	@CLARIN_FUZZ_SECONDS=$$(( $(or $(MINUTES),10) * 20 )) $(BIN)/pytest -q --timeout=0 tests/security/test_openapi.py
	@# Each time they begin with others: all of them take longer than anybody gives them.
	@timeout --signal=INT $$(( $(or $(MINUTES),10) * 20 )) $(BIN)/pytest -q -x -m hypothesis --hypothesis-profile=fuzz --timeout=0 \
		$$(grep -rl --include='test_*.py' hypothesis libs services local sim bench | shuf) || test $$? -eq 124

screenshots: setup ## Take a picture of every page, light and dark, laptop and phone, into docs/screenshots.
	@$(BIN)/python -m clarin.screenshots docs/screenshots

migrate: $(STAMP) ## Bring the databases of DATA to this version.
	@$(BIN)/clarin migrate --data $(DATA)

up: ## Start everything in containers.
	@docker compose up --detach --wait

down: ## Stop the containers; their data stays.
	@docker compose down

restart: ## Stop and start the containers.
	@docker compose restart

logs: ## Follow what the containers say.
	@docker compose logs --follow --tail=100

db: ## Start the servers alone: PostgreSQL, NATS and Valkey.
	@docker compose up --detach --wait postgres nats valkey

build: ## Build the images.
	@docker compose build

clean: ## Take away what was built; the data stays.
	@rm -rf $(VENV) web/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
