# make demo and make test need Python 3.11 or newer and make; all else they
# install into .venv, here in this directory.

PYTHON ?= python3
VENV := .venv
# Not the scripts in .venv/bin: their first lines would break if it were moved.
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint types check-all coverage bench bench-async docs soak mutants release clean
# Two pips must not install into one environment at once.
.NOTPARALLEL:

demo: $(VENV)/installed
	$(RUN) examples/demo.py

# Each block of code in the pages and docstrings is a test too; docs/blocks.py sees to it.
test: $(VENV)/group-test $(VENV)/group-real
	$(RUN) -m pytest -p docs.blocks pullit docs *.md
	$(RUN) -m pytest

lint: $(VENV)/group-lint
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check

# test_typing has the checkers look at pullit as a user's would; make test skips those
# of its tests that need them.
types: $(VENV)/group-types
	$(RUN) -m mypy
	$(RUN) -m pytest tests/test_typing.py

check-all: test lint types demo

# Every line of the package is run by a test; what they run in other processes counts. It
# needs Python 3.12 or newer: coverage's older ways hold each greenlet, so that none would
# be used again. Left out are a storm of signals, which coverage's own lock does not
# survive, and a look at what importing pullit imports.
coverage: $(VENV)/group-test
	rm -rf build/coverage
	$(RUN) -m coverage run -m pytest --ignore=tests/real -k 'not (storm or imports_nothing_heavy)'
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

# Takes some ten minutes. Leaves out what is not installed: valgrind, ruby, lua.
bench: $(VENV)/group-bench
	$(RUN) benchmarks/run.py $(BENCH)

# Of these only what happens in an event loop: two or three minutes.
bench-async: $(VENV)/group-bench
	$(RUN) benchmarks/run.py --only-async $(BENCH)

# A warning, as of a link that leads nowhere, is an error. -E: of unchanged pages too.
docs: $(VENV)/group-docs
	$(RUN) -m sphinx -E -n -W --keep-going docs build/docs

# A million pulls, and a look at the memory; a hundredth of it: make soak PART=0.01
soak: $(VENV)/group-test
	$(RUN) benchmarks/soak.py $(PART)

# Each line of the core changed, in a copy, to see whether a test notices: hours on two
# cores. One file: make mutants MUTANTS='--only pullit/_pull.py'
mutants: $(VENV)/group-mutants
	rm -rf build/again # where release leaves a copy, which is none of it
	PYTHONPATH=tests/mutation $(RUN) -m poodle.cli $(MUTANTS)

# The wheel and the sdist, and what they must be like. Built once more, from a copy of what
# git knows, under another umask, they are the same bytes: no file that merely lies about
# here is in them, and nothing else of this machine.
BUILD = SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(CURDIR)/$(RUN) -m build

release: $(VENV)/group-release
	rm -rf dist build/again
	mkdir -p build/again
	$(BUILD) --outdir dist .
	umask 077; git ls-files -z | tar -c --null -T - | tar -xm --no-same-permissions -C build/again
	umask 077; $(BUILD) --outdir build/again/dist build/again
	for file in $$(ls dist); do cmp dist/$$file build/again/dist/$$file || { \
	    echo 'pullit: two builds differ; are there files that git does not know? See git status' >&2; \
	    exit 1; }; done
	sha256sum dist/*
	$(RUN) -m twine check --strict dist/*
	$(RUN) -m check_wheel_contents --toplevel pullit --package pullit dist/*.whl
	$(RUN) -m validate_pyproject pyproject.toml
	$(RUN) -m pyroma --min=10 --skip-tests=AuthorEmail . # the authors have no address

clean:
	rm -rf $(VENV) build dist
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that was left half made is made anew: its file is missing. So is one that
# another Python has made, if PYTHON is given; without it, the environment stays.
WHICH = -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null
ifneq ($(origin PYTHON),file)
ifneq ($(shell $(PYTHON) $(WHICH)),$(shell $(RUN) $(WHICH)))
.PHONY: $(VENV)/made
endif
endif

$(VENV)/made:
	@command -v $(PYTHON) >/dev/null || { \
	    echo 'pullit: there is no $(PYTHON); say which Python to use: make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "pullit needs Python 3.11 or newer, and $(PYTHON) is" \
	        "$$($(PYTHON) --version 2>&1); name a newer one: make PYTHON=python3.13" >&2; exit 1; }
	@[ ! -e $@ ] || echo 'pullit: another Python has made $(VENV); $(PYTHON) makes it anew'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'  # the first that knows --group
	touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml
	$(PIP) install --editable .
	touch $@

$(VENV)/group-%: $(VENV)/installed
	$(PIP) install --group $*
	touch $@
