# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# How many tests run at once: more than there are cores, since many wait for a process, a clock or a line; each collects them all.
JOBS ?= 4
PARALLEL := -n $(JOBS) --dist worksteal

# Tests start hundreds of processes: none of them need compile edgerig's sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast checked collected faults fuzz lint types docs wheel clean

# pip is brought up to date first: old resolvers (Debian's 23.0) take many minutes over the extras.
$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	  rm -rf $(VENV); \
	  if [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then \
	    echo "Debian keeps Python's venv in a package of its own: installing python3-venv"; \
	    apt-get update -q >/dev/null && apt-get install -y -q python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	  else \
	    echo "Could not make a virtual environment. On Debian: sudo apt-get install python3-venv" >&2; exit 1; \
	  fi; }
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25'

$(VENV)/.all: $(BIN)/python pyproject.toml
	@echo "Installing edgerig with all extras into $(VENV): about 1.7 GB on disk, a few minutes the first time"
	$(BIN)/python -m pip install -e '.[all]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	@echo "Installing edgerig with all extras and what its tests need into $(VENV): about 2 GB on disk"
	$(BIN)/python -m pip install -e '.[dev]'
	# On top and bounded as litert-converter is: in one go with the extra dev pip tries versions for minutes.
	$(BIN)/python -m pip install -q -e '.[mlflow]' 'typing-extensions<4.13'
	@touch $@ $(VENV)/.all $(VENV)/.docs

$(VENV)/.docs: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[docs]'
	@touch $@

demo: $(VENV)/.all
	$(BIN)/edgerig run examples/mnist/rig.yaml --out runs/demo

# Tests with real processes and sockets may lose a race on a crowded machine: such a one is tried once more, and said.
test: $(VENV)/.dev checked
	$(BIN)/python -m pytest $(PARALLEL) --reruns 1 --reruns-delay 2

test-fast: $(VENV)/.dev checked
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not browser"

# The type checker uses one core: meanwhile the other compiles the tests, once instead of once for each that runs them.
checked: $(VENV)/.dev
	@$(MAKE) --no-print-directory -j2 --output-sync=target types lint collected

collected: $(VENV)/.dev
	@mkdir -p build
	@$(BIN)/python -m pytest --collect-only -q > build/collected.txt || { tail -n 40 build/collected.txt; exit 1; }

# The kills of the ordinary tests, but 200 of them; takes a quarter of an hour.
faults: $(VENV)/.dev
	EDGERIG_KILLS=200 $(BIN)/python -m pytest tests/faults/test_kills.py tests/faults/test_resets.py -s

# Coverage-guided fuzzing of both decoders, ten minutes each.
fuzz: $(VENV)/.dev
	EDGERIG_FUZZ_SECONDS=600 $(BIN)/python -m pytest tests/faults/test_fuzz.py -s

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $$(find firmware src -name '*.[ch]')

types: $(VENV)/.dev
	$(BIN)/mypy

# The site of the documentation, which opens from the disk: build/site/index.html. A dead link ends it.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "build/site/index.html"

# One file to copy to a board, whose agent needs no clone: pip install edgerig-*.whl there.
wheel: $(BIN)/python
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist runs .mypy_cache .ruff_cache .hypothesis
