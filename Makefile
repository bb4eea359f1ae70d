# Everything that a fresh machine needs is Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
AOT := .venv-aot
BIN := $(VENV)/bin

.PHONY: demo test slow lint bench aot clean

# The stamp is renewed when the dependencies change; the package itself is installed editable.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

demo: $(VENV)/.installed  ## train the quickstart grid, print m_c, name the figure and the dataset
	$(BIN)/mbsim run configs/quickstart.toml --out runs/quickstart

test: $(VENV)/.installed  ## the quick tests
	$(BIN)/pytest -n auto --dist loadfile

slow: $(VENV)/.installed  ## the long tests
	$(BIN)/pytest -m slow -n auto --dist loadfile

lint: $(VENV)/.installed  ## style, types, layers, and no file longer than a person reads at once
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@find mbsim -name '*.py' -exec wc -l {} + | awk '$$1 > 350 && $$2 != "total" { long = 1; \
	    print $$2 ": " $$1 " lines, at most 350: split it by subject" } END { exit long }'

bench: $(VENV)/.installed  ## the kernel beside a sequential numba program, in the same run
	$(BIN)/python benchmarks/table.py

aot: $(AOT)/.installed  ## compile every program for accelerators that are not there, and hold it to its budget
	$(AOT)/bin/python benchmarks/aot.py

# The wheels of accelerators are large and belong to one version of jax: an environment of their own. Where they
# cannot be had, aot.py says so.
$(AOT)/.installed: pyproject.toml benchmarks/aot_wheels.py
	$(PYTHON) -m venv $(AOT)
	$(AOT)/bin/pip install --quiet --upgrade pip
	$(AOT)/bin/pip install --quiet --editable .
	$(AOT)/bin/pip install --quiet --no-deps $$($(AOT)/bin/python benchmarks/aot_wheels.py) && touch $@ || true

clean:
	rm -rf $(VENV) $(AOT) runs mbsim/engines/registers/__pycache__
