# `make` or `make help` lists the targets.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet \
	--disable-pip-version-check)
N ?= 200
SEED ?= 0
S ?= 600
STAMP := .venv/.installed
DEMO := runs/demo

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-clients test-failed test-live tiny-coder recordings check format image bench constraints fuzz mutants clean

help: ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with sstar and its development tools (with uv where it is installed)

$(STAMP): pyproject.toml
ifneq ($(UV),)
	$(UV) venv --quiet --seed --allow-existing --python $(PYTHON) .venv
else
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "sstar needs Python 3.11 or newer: make setup PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
endif
	$(INSTALL) -e '.[dev]'
	@touch $@

demo: setup ## the whole method on the bundled problems with a recorded model
	@echo "1 of 2: answers that were really sampled, of a tiny model"
	$(BIN)/sstar eval lists -m replay:lists --n 8 --rounds 2 --fresh --out $(DEMO)
	@echo "2 of 2: answers that were written by hand to show every stage"
	$(BIN)/sstar eval examples -m replay:examples --n 6 --rounds 2 --select sstar --fresh --out $(DEMO)-by-hand

test: setup ## the tests (no network; engine tests are skipped with a reason where no engine answers)
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not live and not slow"

test-slow: setup ## what is marked slow: in full what `make test` shows in part
	$(BIN)/python -m pytest -n 3 --dist worksteal -m slow

test-clients: setup ## other people's programs against sstar serve and sstar mcp (their own environment, about 2 GB)
	.ci/clients
	$(BIN)/python -m pytest tests/agent/serving/test_installed_clients.py tests/agent/serving/test_deploy.py \
		tests/agent/tools/test_installed_inspector.py -m "not docker"

test-failed: setup ## only the tests that failed the last time, one after the other
	@echo "A test that passes here depends on chance or on load. Please mend it."
	$(BIN)/python -m pytest -m "not live" -v --last-failed --last-failed-no-failures none

test-live: setup ## the tests against a real vLLM on the CPU (its own environment, about 4 GB)
	.ci/live

tiny-coder: setup ## make the live tests' model anew, or with TECHNIQUE=backtrack, optune, depth or inner another one (about 15 minutes on one core)
	.ci/vllm
	$(BIN)/python -m scripts.train_tiny_model.build $(TECHNIQUE) --seed $(SEED) $(if $(COUNT),--count $(COUNT))

recordings: setup ## record the demo's answers anew: sampled from the tiny coder under vLLM, and the written ones
	.ci/vllm
	$(BIN)/python -m scripts.train_tiny_model.lists
	$(BIN)/python -m scripts.record.lists
	$(BIN)/python -m scripts.record.examples

check: setup ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## let the formatter decide
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

image: setup ## build the sandbox image for Docker (from a registry, else from Debian packages); LANGS=cpp: with C++
	$(BIN)/sstar doctor --build-image $(if $(LANGS),--language $(LANGS))

docs: setup ## build the site into build/site, with no network to look at it (fetches mkdocs-material the first time)
	@$(BIN)/python -c 'import material' 2>/dev/null || $(INSTALL) -e '.[dev,docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

bench: setup ## the benchmarks that need no recorded data
	$(BIN)/python -m benchmarks.sandbox.speed

fuzz: setup ## ten minutes of fuzzing of every parser (S=600 seconds in all); what it finds is left in build/fuzz
	$(INSTALL) -e '.[dev,fuzz]'
	$(BIN)/python -m tests.fuzz.run $(S)

constraints: ## write .ci/constraints.txt anew: the newest releases of all that CI installs
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev,docs,ray,otel,parquet]'
	build/constraints/bin/python -m pip freeze --exclude-editable > .ci/constraints.txt

mutants: setup ## which of N random changes of the product no test notices, of the seed SEED (hours; goes on where it ended)
	$(INSTALL) -e '.[dev,mutants]'
	$(BIN)/python -m scripts.mutants.run --count $(N) --seed $(SEED)

clean: ## remove what make made (run folders stay)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
