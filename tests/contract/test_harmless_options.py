"""Options that a stranger may set are declared, and numbers within bounds."""

from __future__ import annotations

import attrs
import pytest

from navcore.contract.harmless_options import harmless, is_harmless


@attrs.frozen
class Options:
    level: int = attrs.field(default=3, metadata=harmless(0, 5))
    fast: bool = attrs.field(default=False, metadata=harmless(False, True))
    library: str = ""
    threads: int = 1


@pytest.mark.parametrize(("name", "value"), [("level", 0), ("level", 5), ("level", 2.5), ("fast", True)])
def test_a_declared_number_within_its_bounds_is_harmless(name: str, value: object) -> None:
    assert is_harmless(Options, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("level", 6), ("level", -1), ("level", float("nan")), ("level", float("inf")), ("level", "5"), ("level", None),
        ("level", [5]), ("library", "evil.so"), ("threads", 1), ("nothing", 1),
    ],
)  # fmt: skip
def test_everything_else_is_not(name: str, value: object) -> None:
    assert not is_harmless(Options, name, value)
