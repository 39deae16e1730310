# On a bare machine with Python 3.11 or newer: make train, make test. Everything goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
ARGS ?=
# make train members=8: every other variable of the command line is a setting
OTHERS = $(filter-out ARGS PYTHON WHAT,$(.VARIABLES))
SETTINGS = $(strip $(foreach name,$(OTHERS),$(if $(findstring command line,$(origin $(name))),'$(name)=$($(name))')))
WHAT ?= run

.DEFAULT_GOAL := help
.PHONY: help install train eval report runs test chromium browser lint format bench tensorboard lock wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "hudyn needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (torch is large: a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: $(INSTALLED) ## make .venv from the lock file

train: $(INSTALLED) ## train: make train experiment=kmnist_conv
	@$(BIN)/python train.py $(SETTINGS) $(ARGS)

eval: $(INSTALLED) ## evaluate a run: make eval run=outputs/...
	@$(BIN)/python eval.py $(SETTINGS) $(ARGS)

report: $(INSTALLED) ## write a run's page, compare runs, answer the assignment: make report assignment=outputs
	@$(BIN)/python report.py $(SETTINGS) $(ARGS)

runs: $(INSTALLED) ## list and compare runs: make runs status=failed, make runs ARGS='"test/solved>0.5"'
	@$(BIN)/python runs.py $(SETTINGS) $(ARGS)

test: $(INSTALLED) ## run the tests and doctests
	@OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

chromium: ## install Chromium and chromedriver where they are missing (on Debian and Ubuntu, as root)
	@{ command -v chromium && command -v chromedriver; } > /dev/null || { test "$$(id -u)" = 0 && \
	  apt-get install --yes --quiet=2 -o Acquire::http::Timeout=20 chromium chromium-driver > /dev/null; } || \
	  echo "Chromium and chromedriver are missing: install them, as in apt-get install chromium chromium-driver"

browser: $(INSTALLED) chromium ## open the pages of brief runs in Chromium
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m browser tests/browser $(ARGS)

lint: $(INSTALLED) ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(INSTALLED) ## put the code into style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(INSTALLED) ## measure against plain PyTorch: make bench ARGS="--only srn", make bench WHAT=growth
	@$(BIN)/python benchmarks/$(WHAT).py $(ARGS)

tensorboard: $(INSTALLED) ## look at curves, figures and settings of all runs
	@$(BIN)/tensorboard --logdir outputs $(ARGS)

lock: $(INSTALLED) ## choose the newest versions again and lock them (needs uv: pip install uv)
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" --upgrade -o requirements.lock

wheel: $(INSTALLED) ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove .venv, caches and dist; outputs stay
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
