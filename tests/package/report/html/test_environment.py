"""The environment of a record, which a stranger may have filled with anything."""

from __future__ import annotations

from navcore.package.report.html.environment import environment_lines
from navcore.workspace.environment import describe_environment


def test_every_value_has_the_names_that_lead_to_it() -> None:
    told = environment_lines({"cpu": {"name": "Abacus", "logical_cores": 2}, "python_packages": {"numpy": "2.0"}})
    assert told == (("cpu name", "Abacus"), ("cpu logical cores", "2"), ("numpy", "2.0"))


def test_what_is_not_known_is_left_out() -> None:
    assert environment_lines({"gpu": {"name": "n/a", "tdp": None}, "libraries": {}}) == ()


def test_this_machine_can_be_told() -> None:
    names = [name for name, _ in environment_lines(describe_environment())]
    assert {"cpu name", "memory", "python version", "numpy"} <= set(names)


def test_it_is_bounded_whatever_a_stranger_wrote() -> None:
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"a": deep}
    told = environment_lines(
        {"wide": {str(number): number for number in range(1000)}, "deep": deep, "long": "x" * 99999}
    )
    assert len(told) == 121
    assert all(len(value) < 5000 for _, value in told)
