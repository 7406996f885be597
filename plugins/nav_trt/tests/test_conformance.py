"""nav-trt keeps the contract of a plugin; what needs a CUDA device skips with that reason."""

from __future__ import annotations

from navcore.testing.conformance import conformance

test_conformance = conformance("trt")
