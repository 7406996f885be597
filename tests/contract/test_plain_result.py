"""A result as its outputs' names tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from navcore.contract import flatten_result, plain_result

A, B = np.zeros(1), np.ones(2)


@pytest.mark.parametrize("result", [A, (A, B), {"y": A}, {"b": A, "a": B}, {"output__1": A}, {"output__00": A, "x": B}])
def test_it_is_the_opposite_of_flattening(result: Any) -> None:
    made = plain_result(dict(flatten_result(result, lambda value: isinstance(value, np.ndarray))))
    assert type(made) is type(result)
    if isinstance(result, dict):
        assert list(made) == list(result)
        assert all(made[name] is value for name, value in result.items())
    elif isinstance(result, tuple):
        assert all(one is other for one, other in zip(made, result, strict=True))
    else:
        assert made is result


def test_what_names_do_not_tell_is_a_dict() -> None:
    assert plain_result({"output__0__1": A, "output__1": B}).keys() == {"output__0__1", "output__1"}
    assert plain_result({}) == {}
