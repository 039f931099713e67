# make demo and make test set everything up by themselves, on a machine with Python 3.11+ and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# the demo needs the package alone; everything else needs the tools and the training libraries too
PACKAGE := $(VENV)/.installed-package
STAMP := $(VENV)/.installed

.PHONY: demo test check format validate bench bench-quick bench-gpu docs clean help

help:
	@echo "make demo      organ doses of the shipped CT series, with a report in demo_out/"
	@echo "make test      all tests"
	@echo "make check     format, lint, types, layers, tests"
	@echo "make validate  published cases beside ours, all of them (about an hour)"
	@echo "make bench     speed, efficiency, memory, a peer code: docs/benchmarks.md (below 20 minutes)"
	@echo "make bench-quick  the same with less of everything, results in bench_quick/"
	@echo "make bench-gpu the same for a GPU beside two CPU cores; needs one"

$(PACKAGE): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'milligray needs Python 3.11 or newer'"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(STAMP): $(PACKAGE)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	# ships as source only: where it cannot be built (no C compiler), its tests are skipped
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[radiomics]' \
		|| echo "pyradiomics was not installed (it needs a C compiler): its tests are skipped"
	touch $@

demo: $(PACKAGE)
	$(BIN)/milligray demo --out demo_out

test: $(STAMP)
	$(BIN)/python -m pytest -q

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

validate: $(STAMP)
	$(BIN)/milligray validate all --write docs/validation

bench: $(STAMP)
	$(BIN)/python -m benchmarks --write benchmarks/results

bench-quick: $(STAMP)
	$(BIN)/python -m benchmarks --quick --write bench_quick

bench-gpu: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,cuda]'
	$(BIN)/python -m benchmarks.gpu --write benchmarks/results

clean:
	rm -rf $(VENV) demo_out bench_quick .pytest_cache .mypy_cache .ruff_cache
