# Everything starts from nothing: Debian 12 with python3, make and git is enough.
.DEFAULT_GOAL := help
.PHONY: help setup run test check docs fmt bench lock

BIN := .venv/bin
export UV_SYSTEM_CERTS := 1
# If make itself is killed, the office is told to stop, rather than run on unseen.
WITH_MAKE := $(shell command -v setpriv >/dev/null && echo setpriv --pdeathsig TERM)

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-7s %s\n", $$1, $$2}'

setup: ## make .venv from requirements.lock (nothing to do while the lock is unchanged)
	@bash .ci/setup

run: setup ## start everything: PostgreSQL, Valkey, migrations, sample office, API, console, worker, beat
	@BANJIE_SAMPLE=$${BANJIE_SAMPLE:-1} exec $(WITH_MAKE) $(BIN)/banjie run

test: setup ## the whole suite on throw-away servers; choose with ARGS="tests/engine -k sweep"
	@bash .ci/browser
	@$(BIN)/pytest -n 2 $(ARGS)

check: setup ## format, lint, types, import contracts, migrations = models, docs agree
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q -n 0 -p no:randomly $(wildcard tests/test_migrations.py tests/test_docs.py tests/test_compose.py tests/test_source.py tests/test_security.py) \
	  tests/api/test_permits.py::test_every_route_has_a_line_and_every_line_a_route

docs: setup ## docs/workflows, made from the workflow files
	@$(BIN)/banjie docs docs/workflows

fmt: setup ## format and repair what can be repaired
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## the benchmarks: a table, and bench/results.json (ARGS=--small: 100,000 items)
	@$(BIN)/python -m bench $(ARGS)

lock: setup ## renew requirements.lock from pyproject.toml (no registry address goes in)
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --upgrade --quiet -o requirements.lock
