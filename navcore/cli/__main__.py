"""Runs the command line as ``python -m navcore.cli``."""

from __future__ import annotations

from navcore.cli import main

main(prog_name="navcore")
