"""Runs the command line as ``python -m navcore``."""

from __future__ import annotations

from navcore.cli import main

if __name__ == "__main__":
    main(prog_name="navcore")
