"""The plugin keeps the contract of every hook that it answers."""

from __future__ import annotations

from navcore.testing.conformance import conformance

test_conformance = conformance("tensorflow")
