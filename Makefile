# Only Python 3.11 or newer and make are needed. `make demo` and `make test` set everything up by themselves.

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ASSETS := $(VENV)/.assets
WORKERS ?= 2
LOCK_OPTIONS := --universal --python-version 3.11 --all-extras --group dev \
	--no-emit-index-url --no-annotate --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help setup browser demo demo-year check format test prove bench lock clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|' 2>/dev/null \
		|| grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

setup: $(READY) $(ASSETS)  ## Environment, dependencies and page assets (the other targets do this too)

$(READY): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python cannot make environments. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@echo "Installing dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
	@if $(BIN)/python -m uv --version >/dev/null 2>&1; \
	then VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/python -m uv pip install --quiet -r requirements.lock; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(ASSETS): $(READY) $(wildcard src/guerdon/pages/build.py src/guerdon/pages/npm/*)
	@if test -f src/guerdon/pages/build.py; then echo "Fetching page assets ..."; $(BIN)/python -m guerdon.pages.build && touch $@ \
		|| echo "Going on without them: /docs will be a plain list. The next make tries again."; fi

browser: $(READY)
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; \
	then echo "Installing Chromium ..."; apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "The browser tests need Chromium: sudo apt-get install chromium"; exit 1; fi

demo: setup  ## Everything running with real purchases, at http://127.0.0.1:8770/demo; Ctrl-C stops it
	@$(BIN)/guerdon demo

demo-year: setup  ## A year of a loyalty club on 155,368 real baskets: points, tiers, rewards, what is owed month by month
	@$(BIN)/guerdon demo --year

check: $(READY)  ## Style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --config .importlinter

format: $(READY)  ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup browser check  ## All checks and tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not prove"

prove: setup browser  ## The guarantees at full size (long)
	GUERDON_PROVE=1 GUERDON_LAW_EXAMPLES=22300 $(BIN)/python -m pytest -m prove -s

bench: setup  ## The figures of the plan, as ratios
	@for file in bench/*.py; do case $$file in */_*) ;; *) echo "== $$file"; $(BIN)/python $$file || exit 1;; esac; done

lock: $(READY)  ## Pin the newest versions of all dependencies
	$(BIN)/python -m uv pip compile --upgrade $(LOCK_OPTIONS) pyproject.toml -o requirements.lock

clean:  ## Remove the environment and caches (not the data in .guerdon)
	rm -rf $(VENV) .ruff_cache .hypothesis .import_linter_cache build dist src/guerdon/pages/assets
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
