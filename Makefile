# Two commands: `make demo` and `make test`; `make check` is the part of the second that one wants between two edits, and
# `make nightly` what is too long for it. Everything they do is a session of noxfile.py.

PYTHON ?= python3
NOX := .venv/bin/python -m nox

.PHONY: help demo test check nightly clean

help:
	@echo "make demo    install core, nav-torch and nav-onnx from this tree and export a real model"
	@echo "make test    everything that can be tested without a GPU, in at most 25 minutes on two processors"
	@echo "make check   style, types of what changed and the core's tests: under two minutes, once make test made the environments"
	@echo "make nightly what takes too long for make test: long fuzzing, lowest versions, plugins against wheels; hours"
	@echo "make clean   remove the environments and what was built in them"
	@echo
	@echo "Another interpreter: make test PYTHON=python3.12. One session only: .venv/bin/nox --session lint"

demo: .venv/bin/nox
	$(NOX) --session demo

test: .venv/bin/nox
	$(NOX)

check: .venv/bin/nox
	$(NOX) -R --session lint types core

nightly: .venv/bin/nox
	$(NOX) --session nightly

.venv/bin/nox:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "navcore needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name a newer one: make PYTHON=python3.12" % (v[0], v[1]))'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint constraints.txt 'nox>=2025.10,<2027'

clean:
	rm -rf .venv .nox
