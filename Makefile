# Everything works on a bare machine that has python3 (3.11 or newer), make and a network of packages.
.DEFAULT_GOAL := help
.NOTPARALLEL:
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
SERVED := $(BIN)/python -m dev.servers exec --
# What a production machine would set, so that `check --deploy` judges production.
DEPLOYED := ENVIRONMENT=production ALLOWED_HOSTS=florin.example \
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))')

# Tests wait half of their time for servers, so each core takes a share of them, with servers of its own.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist worksteal

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: .venv/installed ## Run everything here: web on 127.0.0.1:8000 (PORT=), worker, beat, relay, consumer; Ctrl-C stops it
	@$(BIN)/python -m dev.run

.PHONY: test
test: .venv/installed ## Run the tests on real PostgreSQL, Valkey and NATS (ARGS="-k spend")
	@without=$$($(BIN)/python -m dev.chromium) && $(BIN)/pytest $(PARALLEL) $$without $(ARGS)

.PHONY: faults
faults: .venv/installed ## Run the slow tests that kill, cut off and fill up
	@$(BIN)/pytest -m faults $(ARGS)

.PHONY: check
check: lint types schema test ## Run every check, then the tests; what CI runs

.PHONY: lint
lint: .venv/installed ## Style, formatting, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

.PHONY: types
types: .venv/installed ## Type-check
	@$(SERVED) $(BIN)/mypy .

.PHONY: schema
schema: .venv/installed ## Missing migrations, deployment settings, OpenAPI
	$(SERVED) $(BIN)/python manage.py makemigrations --check --dry-run
	@echo "manage.py check --deploy"
	@$(DEPLOYED) $(SERVED) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(SERVED) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

.PHONY: bench
bench: .venv/installed ## Measure, print ratios, write a JSON file
	@$(SERVED) $(BIN)/python -m benchmarks $(ARGS)

.PHONY: audit
audit: .venv/installed ## Prove the books of the development database
	@$(SERVED) $(BIN)/python manage.py audit_books $(ARGS)

.PHONY: manage
manage: .venv/installed ## Run a management command (ARGS="createsuperuser")
	@$(SERVED) $(BIN)/python manage.py $(ARGS)

.PHONY: shell
shell: .venv/installed ## Open a Python shell on the development database
	@$(SERVED) $(BIN)/python manage.py shell

.PHONY: requirements
requirements: .venv/installed ## Pin requirements*.in into requirements*.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --universal --python-version 3.11 requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt

.PHONY: clean
clean: ## Remove the virtual environment, caches and the development database
	@if [ -d .florin ] && [ -x $(BIN)/python ]; then $(BIN)/python -m dev.servers stop; fi
	rm -rf .venv .florin .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles

# The stamp is written last, so that an interrupted installation is taken up again.
.venv/installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed as $(PYTHON): install it, or name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || { echo "Creating .venv"; rm -rf .venv; $(PYTHON) -m venv .venv; }
	@echo "Installing $$(grep -c == requirements-dev.txt) packages into .venv: about a minute the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
