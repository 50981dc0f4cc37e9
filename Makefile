# make demo   watch the wheel turn on the shipped sample: needs Python 3.11+ and this file
# make up     one URL for all models: the gateway, with a teacher that runs on this machine
# make test   everything CI checks; .ci/run calls it
#
# PYTHON=python3.12 make demo   takes another interpreter

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# Others are never run while this make runs: the steps read as one story.
.NOTPARALLEL:
.PHONY: demo up test test-slow bench bench-gateway bench-gateway-check bench-gateway-baseline \
	reference constraints clean

demo: .venv/.base
	.venv/bin/feilun demo

up: .venv/.up
	.venv/bin/feilun up

test: .venv/.test
	@echo "== ruff: lint"
	@.venv/bin/ruff check
	@echo "== ruff: format"
	@.venv/bin/ruff format --check
	@echo "== mypy"
	@.venv/bin/mypy
	@echo "== import-linter: floors and stages"
	@.venv/bin/lint-imports
	@echo "== pytest"
	@.venv/bin/pytest

test-slow: .venv/.test
	.venv/bin/pytest -m slow

bench: .venv/.test
	@set -e; for script in $$(grep -l __main__ benchmarks/*.py); do \
		echo "== $$script"; .venv/bin/python "$$script"; done

# Beside other gateways, which it installs in build/peers (700 MB); takes half an hour and a
# machine with nothing else to do. GATEWAY=--ours-only leaves the others out.
bench-gateway: .venv/.test
	.venv/bin/python benchmarks/gateway $(or $(GATEWAY),--install)

# What a call makes the gateway execute, counted by valgrind: fails where it has risen by over
# 15 %. CI runs it. The other keeps the new figure; the commit says why it is worth it.
bench-gateway-check: .venv/.test
	@echo "== benchmarks/gateway: what a call costs"
	@.venv/bin/python benchmarks/gateway --quick

bench-gateway-baseline: .venv/.test
	.venv/bin/python benchmarks/gateway --quick --new-baseline

# What pages take from the code: the reference, and what examples print. tests/docs fails
# while a page is behind.
reference: .venv/.test
	.venv/bin/python docs/make_reference.py
	.venv/bin/python tests/docs/pages.py

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The virtual environment

# Scripts in it name its place, so a moved checkout needs a new one; so does an
# interpreter that has gone.
PLACE := $(shell .venv/bin/python -c pass 2>/dev/null && cat .venv/.place 2>/dev/null)
ifneq ($(PLACE),$(CURDIR))
.PHONY: .venv/.place
endif

.venv/.place:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Feilun needs Python 3.11 or newer; '$(PYTHON)' is not. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
		exit 1; }
	@echo "== making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv || { \
		rm -rf .venv; \
		echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv"; \
		exit 1; }
	@echo "$(CURDIR)" > $@

# Two steps, because pip checks hashes of archives and a source folder has none. The
# build backend is among the hashed ones, so the second step downloads nothing.
SELF = .venv/bin/pip install --quiet --no-deps --no-build-isolation --editable .

# No byte code ahead of time: pip would compile every module of every package, 89 MB, and
# Feilun imports a third of them. The tests, which start many processes, want it at once.
.venv/.base: .venv/.place constraints.txt pyproject.toml
	@echo "== installing"
	@.venv/bin/pip install --quiet --no-compile --require-hashes -r constraints.txt
	@$(SELF)
	@touch $@

# The pins of the extra `embedded` hold those of `gateway`, and both those of the base.
.venv/.up: .venv/.place constraints/embedded.txt pyproject.toml
	@echo "== installing, with the gateway and the engine"
	@.venv/bin/pip install --quiet --no-compile --require-hashes -r constraints/embedded.txt
	@$(SELF)
	@touch .venv/.base $@

.venv/.test: .venv/.place constraints/test.txt pyproject.toml
	@echo "== installing, with what the tests need"
	@.venv/bin/pip install --quiet --require-hashes -r constraints/test.txt
	@$(SELF)
	@touch .venv/.base $@

# The pins

# One resolution for every system and every Python from 3.11 on; no file names an index.
UV = build/uv/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --upgrade \
	--custom-compile-command "make constraints" pyproject.toml

constraints: build/uv/bin/uv
	printf 'hatchling\neditables\n' | $(UV) - -o constraints.txt
	@for extra in test postgres embed embedded gateway; do \
		echo "constraints/$$extra.txt"; \
		printf 'hatchling\neditables\n' | $(UV) - -c constraints.txt --extra $$extra \
			-o constraints/$$extra.txt || exit 1; done

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet uv
