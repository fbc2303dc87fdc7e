# Every target sets up what it needs: Python 3.11 or later, make and a package index are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
# NNCF pins other versions than we do, so it lives on its own.
ORACLE ?= .venv-oracle

.PHONY: demo test check zoo oracle bench bench-accuracy bench-scale bench-commands clean

demo: $(READY)
	$(BIN)/recipe apply recipes/bert_transformer.yaml

test: $(DEV)
	$(BIN)/python -m pytest -q -n 2

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

zoo: $(DEV)
	$(BIN)/python -m pytest -q -m zoo tests/zoo

oracle: $(ORACLE)/.ready
	$(ORACLE)/bin/python -m pytest -q -m oracle tests/oracle

# make bench CASES="yolox_nano minilm" ROUNDS=3 SAMPLES=100 PRESETS="performance mixed"
bench: $(ORACLE)/.ready
	$(ORACLE)/bin/python -m benchmarks $(CASES) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(PAIRS),--pairs $(PAIRS)) $(if $(SAMPLES),--samples $(SAMPLES)) $(if $(PRESETS),--presets $(PRESETS))

# make bench-accuracy CASES=minilm PRESETS=mixed DRAWS=6
bench-accuracy: $(ORACLE)/.ready
	$(ORACLE)/bin/python -m benchmarks.accuracy $(CASES) $(if $(PRESETS),--presets $(PRESETS)) \
		$(if $(DRAWS),--draws $(DRAWS))

bench-scale: $(DEV)
	$(BIN)/python -m benchmarks.scale

bench-commands: $(DEV)
	$(BIN)/python -m benchmarks.commands $(if $(ROUNDS),--rounds $(ROUNDS))

clean:
	rm -rf $(VENV) $(ORACLE) build

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	touch $@

$(DEV): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	touch $@

$(ORACLE)/.ready: pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/python -m pip install --quiet --upgrade pip
	$(ORACLE)/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt --editable '.[all]' --group dev
	touch $@
