# Two commands on a fresh machine: `make demo` and `make test`. Each sets itself up.
#
#   make demo     learn from printed letters, read handwriting from one example
#   make test     run the tests (GEMEL_DATA=folder adds those on real data sets)
#   make check    ruff, mypy --strict, the ladder of imports
#   make bench    the quick benchmarks; the long ones are listed in benchmarks/RESULTS.md
#   make clean    remove the virtual environment and what the demo made
#
# TORCH_INDEX=URL takes PyTorch from that index; give one of CPU builds to save several GB.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX ?=
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
WORKERS ?= 2

.PHONY: demo test check bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/train
	$(BIN)/gemel demo

test: $(VENV)/test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: $(VENV)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/test
	$(BIN)/python benchmarks/cold_start.py

$(VENV)/python: | version
	$(PYTHON) -m venv $(VENV)
	@touch $@

.PHONY: version
version:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gemel needs Python 3.11 or newer; " + sys.executable + " is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'

$(VENV)/train $(VENV)/test: $(VENV)/%: pyproject.toml constraints.txt | $(VENV)/python
	@echo "Installing gemel[$*] into $(VENV): about 0.6 GB to download with a CPU build of PyTorch (2 GB on disk), several GB with a CUDA build."
	$(BIN)/python -m pip install --quiet $(INDEX) --constraint constraints.txt --editable '.[$*]'
	@touch $@

clean:
	rm -rf $(VENV) demo
