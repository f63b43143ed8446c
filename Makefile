# make demo    set up, index sample photos, search them, serve the page   (DEMO_ARGS=--no-serve stops before the page)
# make test    set up, run the tests                                      (TEST_ARGS='-k name' and so on)
# make fuzz    set up, run the property tests with new examples, twenty times as many
# make soak    set up, let folders live for half an hour under the daemon  (SOAK_MINUTES=5 shortens it)
# make check   set up, then ruff and mypy

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The extra `gpu` where an NVIDIA driver answers, else `cpu`.
FAISS := $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test fuzz soak check clean

demo: $(VENV)/.demo-$(FAISS)
	$(BIN)/picsift demo $(DEMO_ARGS)

# Three workers suit two cores: about a tenth of the time a test waits for a process, a browser or the disk.
# Memory that is freed is kept by glibc rather than given back and asked for again: a twentieth of what pictures cost.
test: $(VENV)/.dev-$(FAISS)
	MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=4294967296 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -p tests.in_memory $(TEST_ARGS)

fuzz: $(VENV)/.dev-$(FAISS)
	PICSIFT_FUZZ=1 $(BIN)/python -m pytest -m hypothesis --timeout 3600 $(TEST_ARGS)

soak: $(VENV)/.dev-$(FAISS)
	PICSIFT_SOAK_MINUTES=$(or $(SOAK_MINUTES),30) $(BIN)/python -m pytest -m soak -v $(TEST_ARGS)

check: $(VENV)/.dev-$(FAISS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "picsift needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.demo-$(FAISS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[$(FAISS),demo]'
	@touch $@

$(VENV)/.dev-$(FAISS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[$(FAISS),dev]'
	@touch $@ $(VENV)/.demo-$(FAISS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
