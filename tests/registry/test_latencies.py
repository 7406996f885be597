"""What a profiler returns is judged where its name is known: by the guard around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from navcore.contract import ProfileJob, Runner, profiler
from navcore.errors import PluginError
from navcore.registry.guards import guarded
from navcore.registry.latencies import latencies_of


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (np.zeros(3), "only zeros, for 3 calls"),
        (np.array([1.0, -1.0, 1.0]), "negative, or not finite"),
        (np.array([1.0, np.nan, 1.0]), "negative, or not finite"),
        (np.array([1.0, np.inf, 1.0]), "negative, or not finite"),
        (np.ones((3, 1)), r"an array of shape \(3, 1\)"),
        (np.ones(0), r"an array of shape \(0,\)"),
        (np.ones(2), "measured 2 calls where 3 were asked for"),
        ({"p50": 1.0}, "returned a dict, not latencies"),
    ],
)
def test_what_is_no_measurement_is_refused_under_the_profilers_name(returned: Any, told: str) -> None:
    @profiler(measures="CPU time")
    def odd_clock(job: ProfileJob) -> Any:
        return returned

    (route,) = odd_clock.__navcore_routes__  # type: ignore[attr-defined]
    job = ProfileJob(Runner(lambda feeds: feeds), {}, calls=3)
    with pytest.raises(PluginError, match=told) as caught:
        guarded(route)(job, route)
    assert "odd_clock" in caught.value.who


def test_some_zeros_are_a_coarse_clock_that_saw_something() -> None:
    assert latencies_of([0.0, 1.0, 0.0], 3).tolist() == [0.0, 1.0, 0.0]
