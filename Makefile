# Two commands: `make demo` and `make test`. Everything they do is a session of noxfile.py.

PYTHON ?= python3
NOX := .venv/bin/python -m nox

.PHONY: help demo test clean

help:
	@echo "make demo    install core, nav-torch and nav-onnx from this tree and export a real model"
	@echo "make test    everything that can be tested without a GPU"
	@echo "make clean   remove the environments and what was built in them"
	@echo
	@echo "Another interpreter: make test PYTHON=python3.12. One session only: .venv/bin/nox --session lint"

demo: .venv/bin/nox
	$(NOX) --session demo

test: .venv/bin/nox
	$(NOX)

.venv/bin/nox:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "navcore needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name a newer one: make PYTHON=python3.12" % (v[0], v[1]))'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint constraints.txt 'nox>=2025.10,<2027'

clean:
	rm -rf .venv .nox
