# A fresh machine needs nothing but make and Python 3.11 or newer: `make run` and `make test` set up .venv themselves.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
INSTALLED := .venv/.installed
# Many tests start processes, and without bytecode each of them compiles PyTorch again, for 3 seconds.
unexport PYTHONDONTWRITEBYTECODE
# Their requirements clash with each other, so each has an environment in .interop and pins in tests/interop/pins.
LIBRARIES := agilerl rllib skrl tianshou torchrl zoo

.DEFAULT_GOAL := help
.PHONY: help run test test-slow test-gpu check format interop benchmark classifier docs site constraints clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(INSTALLED)  ## train HS-LSTM on movie reviews and compare it with the baselines; ARGS="--corpus mr --data-dir DIR"
	$(BIN)/python -m hs_env train $(ARGS)

test: check  ## lint, types and the tests but for slow ones; pytest takes PYTEST="-k reward"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" $(PYTEST)

test-slow: $(INSTALLED)  ## the slow tests: kills, several processes, notebooks, long pages, damaged files
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow $(PYTEST)

test-gpu: $(INSTALLED)  ## the tests that compare a CUDA GPU with the CPU; needs a PyTorch with CUDA in .venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m gpu $(PYTEST)

check: $(INSTALLED)  ## lint, format and types, without the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)  ## format the code and apply the safe fixes of the linter
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

interop: $(LIBRARIES:%=.interop/%/.installed) .interop/ray/.installed  ## the examples of other RL libraries, each in an environment of its own
	for library in $(LIBRARIES); do \
	  OMP_NUM_THREADS=1 .interop/$$library/bin/python -m pytest -m interop -k $$library tests/interop/test_examples.py; \
	done
	OMP_NUM_THREADS=1 .interop/rllib/bin/python -m pytest tests/envs  # RLlib's Gymnasium is the oldest that we support
	OMP_NUM_THREADS=1 .interop/ray/bin/python -m pytest tests/experiments/test_on_ray.py

benchmark: $(INSTALLED)  ## speed: ARGS=environments, training, vocabulary, encoder, hm_lstm, h_net or segmental
	$(BIN)/python scripts/benchmark.py $(or $(ARGS),environments)

classifier: $(INSTALLED)  ## make a classifier of hs_env/data again; ARGS=hs_lstm or ARGS="hs_lstm --reviews"
	$(BIN)/python scripts/make_classifier.py $(ARGS)

docs: $(INSTALLED)  ## make the generated parts of docs/ again: environments, pictures, zoo, notebooks, demo
	$(BIN)/python scripts/make_docs.py
	$(BIN)/python scripts/draw_architecture.py
	$(BIN)/python scripts/make_zoo.py
	$(BIN)/python scripts/run_notebooks.py
	rm -f build/demo.html
	$(BIN)/python -m hs_env demo movie_reviews phrases_id_lstm --words 8000 --out build/demo.html
	mv build/demo.html docs/demo.html

site: .venv/.site  ## the documentation site in build/site, with every link in it checked
	$(BIN)/python scripts/make_site.py

constraints: $(INSTALLED)  ## pin what .venv holds, with the extras that have no environment of their own
	$(BIN)/pip install --constraint constraints.txt --editable '.[dev,analysis,contextual,hf,site,tune]'
	{ sed '/^[^#]/,$$d' constraints.txt; \
	  $(BIN)/pip freeze --all --exclude pip --exclude-editable | sed 's/+[^+]*$$//' | LC_ALL=C sort -f; } > .venv/pins
	mv .venv/pins constraints.txt

clean:  ## remove .venv, .interop and everything that was built; runs and downloads stay
	rm -rf .venv .interop build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find hs_env agents rewards tests scripts -name __pycache__ -prune -exec rm -rf {} +

# Order-only: the interpreter is a link to a file of any age. What is installed depends on these three files alone.
$(INSTALLED): setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --no-compile --constraint constraints.txt --editable '.[dev,analysis,contextual,tune]'
	@touch $@

.venv/.site: $(INSTALLED)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[site]'
	@touch $@

# The pins are what `pip freeze --exclude-editable` says in the environment that passed.
.interop/%/.installed: setup.cfg pyproject.toml tests/interop/pins/%.txt | $(BIN)/python
	$(BIN)/python -m venv .interop/$*
	.interop/$*/bin/python -m pip install --constraint tests/interop/pins/$*.txt --editable '.[$*]' pytest hypothesis
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hs-env needs Python 3.11 or newer, and $(PYTHON) is \
	%d.%d. Name another one: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
