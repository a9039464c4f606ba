# Qingyu: the commands people and CI share. `make` alone lists them.
#
#   PYTHON=python3.12 make test     another interpreter (3.11 or newer) for a new .venv

MAKEFLAGS += --no-print-directory
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
HARNESS := .venv-harness
# Twice quiet: errors only. A machine with its own package index warns about it at every package.
PIP := -m pip install -qq --disable-pip-version-check --no-input
JOBS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
# The first interpreter that is new enough; pyproject.toml's requires-python says the same.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
CMAKE = $(if $(wildcard $(BIN)/cmake),$(BIN)/cmake,cmake)
NATIVE := $(shell find native -type f -not -name '*.md' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo install model test check format bench sanitize docs peers harness browser broker clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install ## build, bring the default model, and let it answer
	@sh scripts/demo.sh $(BIN)/qingyu

install: $(VENV)/.installed ## .venv with the package, its C++ core compiled

model: install ## bring the default model (94 MiB, once)
	@$(BIN)/qingyu pull default

test: $(VENV)/.dev model browser broker ## every test but the slow ones
	$(BIN)/python -m pytest -m "not slow"

check: $(VENV)/.dev ## lint, format, types, layers, generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/generate_docs.py --check
	$(BIN)/python scripts/speed_table.py --check

format: $(VENV)/.dev ## rewrite the sources as `make check` wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev model broker ## run the benchmarks behind the README's figures (not those of half an hour and more: soak, agreement, evaluation)
	@for script in $(filter-out benchmarks/soak.py benchmarks/agreement.py benchmarks/evaluation.py,$(wildcard benchmarks/[a-z]*.py)); do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

sanitize: $(VENV)/.installed ## the core's own tests under address and undefined-behaviour checks
	@$(CMAKE) -S native -B build/sanitize -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DQINGYU_SANITIZE=ON -DQINGYU_TESTS=ON -DQINGYU_MODULE=OFF
	@$(CMAKE) --build build/sanitize --parallel $(JOBS)
	@cd build/sanitize && $(if $(wildcard $(BIN)/ctest),$(abspath $(BIN)/ctest),ctest) --output-on-failure --timeout 900

docs: $(VENV)/.dev ## write the generated pages anew
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python scripts/speed_table.py

browser: ## a headless Chromium for the tests of the web page
	@sh scripts/browser.sh

broker: ## a Mosquitto for the tests of MQTT devices
	@sh scripts/mosquitto.sh

peers: $(PEERS)/.installed ## the engines the benchmarks compare with, in .venv-peers

harness: $(HARNESS)/.installed ## lm-evaluation-harness, which evaluations are checked against, in .venv-harness

clean: ## remove what was built; models stay
	rm -rf build $(VENV) $(PEERS) $(HARNESS) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Stamps: each says "done with these sources", so that a second run does nothing.

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Qingyu needs Python 3.11 or newer; none was found. Set PYTHON=..." >&2; exit 1; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || test -n "$$CXX" || \
		{ echo "Qingyu needs a C++ compiler; none was found. On Debian: apt-get install g++" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "no virtual environment could be made. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.build: $(VENV)/.created pyproject.toml
	@echo "installing what the build needs ..."
	@$(BIN)/python $(PIP) $$($(BIN)/python scripts/requirements.py build)
	@$(BIN)/python $(PIP) $$($(BIN)/python scripts/requirements.py build)
	@touch $@

$(VENV)/.installed: $(VENV)/.build pyproject.toml $(NATIVE)
	@echo "compiling the core and installing qingyu ($(JOBS) jobs) ..."
	@$(BIN)/python $(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed pyproject.toml
	@echo "installing what tests and checks need ..."
	@$(BIN)/python $(PIP) $$($(BIN)/python scripts/requirements.py dev make home)
	@touch $@

$(PEERS)/.installed: pyproject.toml
	@echo "building the engines to compare with (several minutes) ..."
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@CMAKE_ARGS="-DGGML_NATIVE=ON" $(PEERS)/bin/python $(PIP) $$($(PYTHON) scripts/requirements.py peers)
	@touch $@

$(HARNESS)/.installed: pyproject.toml
	@echo "installing lm-evaluation-harness ..."
	@test -x $(HARNESS)/bin/python || $(PYTHON) -m venv $(HARNESS)
	@$(HARNESS)/bin/python $(PIP) $$($(PYTHON) scripts/requirements.py harness)
	@touch $@
