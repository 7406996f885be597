"""The lesson's plugin conforms, and a user's run makes, proves and packs what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from navcore.testing.conformance import conformance

if TYPE_CHECKING:
    from navcore.testing.fixtures import RunRoute

pytest_plugins = "navcore.testing.fixtures"

test_conformance = conformance("litert")


def test_a_model_of_keras_comes_out_in_both_precisions(run_route: RunRoute) -> None:
    from nav_tf import conformance_model

    model, data = conformance_model()
    package = run_route(model, data, targets=["litert", "litert-fp16"])
    assert package.get_status("litert")
    assert package.get_status("litert-fp16")
    (half,) = [row for row in package.results if row.format == "litert-fp16"]
    assert half.runtimes[0].verification is not None
    assert half.runtimes[0].verification.precision == "fp16"


def test_it_has_at_most_forty_lines() -> None:
    module = Path(__file__).parents[1] / "nav_litert" / "__init__.py"
    assert len([line for line in module.read_text().splitlines() if line.strip()]) <= 40
