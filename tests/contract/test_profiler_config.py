"""What a profiler configuration means, and what it refuses."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import attrs
import pytest

from navcore.contract.profiler_config import MeasurementMode, ProfilerConfig, estimate_seconds, resolve_batch_sizes
from navcore.errors import OptionError

COUNT = MeasurementMode.COUNT_WINDOWS


def test_fields_order_and_defaults_are_those_of_the_reference_page() -> None:
    assert {field.name: field.default for field in attrs.fields(ProfilerConfig)} == {
        "batch_sizes": None,
        "measurement_mode": MeasurementMode.TIME_WINDOWS,
        "measurement_interval": 5000,
        "measurement_request_count": None,
        "stability_percentage": 10.0,
        "max_trials": 10,
    }
    assert [field.name for field in attrs.fields(ProfilerConfig)][:2] == ["batch_sizes", "measurement_mode"]


def test_a_configuration_is_plain_data_and_back() -> None:
    config = ProfilerConfig((1, 8), "count_windows", measurement_request_count=5)
    data = config.to_dict()
    assert data["batch_sizes"] == [1, 8]
    assert type(data["measurement_mode"]) is str
    assert ProfilerConfig.from_dict(data) == config
    assert ProfilerConfig.from_dict({}) == ProfilerConfig()
    with pytest.raises(OptionError, match="has no batches"):
        ProfilerConfig.from_dict({"batches": [1]})


def test_a_mode_may_be_given_as_text_and_sizes_as_any_sequence() -> None:
    config = ProfilerConfig([8, 1, 8], "count_windows", measurement_request_count=50)
    assert config.measurement_mode is COUNT
    assert config.batch_sizes == (8, 1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"measurement_mode": "forever"}, "measurement_mode"),
        ({"measurement_mode": COUNT}, "measurement_request_count"),
        ({"measurement_interval": None}, "measurement_interval"),
        ({"measurement_interval": 0}, "measurement_interval"),
        ({"measurement_interval": math.nan}, "measurement_interval"),
        ({"measurement_interval": "5000"}, "measurement_interval"),
        ({"measurement_request_count": 0}, "measurement_request_count"),
        ({"stability_percentage": 0}, "stability_percentage"),
        ({"stability_percentage": -1.0}, "stability_percentage"),
        ({"max_trials": 0}, "max_trials"),
        ({"max_trials": 2.5}, "max_trials"),
        ({"batch_sizes": []}, "batch_sizes"),
        ({"batch_sizes": [0]}, "batch_sizes"),
        ({"batch_sizes": [True]}, "batch_sizes"),
        ({"batch_sizes": "18"}, "batch_sizes"),
        ({"batch_sizes": 8}, "batch_sizes"),
    ],
)
def test_a_configuration_that_cannot_be_measured_is_refused_when_built(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(OptionError, match=word):
        ProfilerConfig(**arguments)


def test_a_window_is_so_long_or_so_many_calls_never_both() -> None:
    by_time = ProfilerConfig(measurement_interval=250, measurement_request_count=7)
    assert (by_time.seconds, by_time.calls) == (0.25, None)
    by_count = ProfilerConfig(None, COUNT, measurement_request_count=7)
    assert (by_count.seconds, by_count.calls) == (None, 7)


@pytest.mark.parametrize(
    ("sizes", "batch_dim", "loader", "resolved"),
    [
        (None, 0, 8, (1, 8)),
        (None, 0, 1, (1,)),
        ([16, 1], 0, 8, (16, 1)),
        (None, None, 8, (-1,)),
    ],
)
def test_batch_sizes(sizes: list[int] | None, batch_dim: int | None, loader: int, resolved: tuple[int, ...]) -> None:
    config = ProfilerConfig(sizes)
    assert resolve_batch_sizes(config, batch_dim=batch_dim, dataloader_batch=loader) == resolved


def test_sizes_for_a_model_that_does_not_batch_are_refused() -> None:
    with pytest.raises(OptionError, match="does not batch"):
        resolve_batch_sizes(ProfilerConfig([1]), batch_dim=None, dataloader_batch=1)


def test_the_page_s_defaults_take_between_15_and_51_seconds_per_runtime_and_batch_size() -> None:
    assert estimate_seconds(ProfilerConfig(), runtimes=1, batch_sizes=1) == pytest.approx((15.3, 51))
    assert estimate_seconds(ProfilerConfig(), runtimes=5, batch_sizes=2) == pytest.approx((153, 510))


def test_nobody_knows_how_long_count_windows_take() -> None:
    config = ProfilerConfig(None, COUNT, measurement_request_count=7)
    assert estimate_seconds(config, runtimes=1, batch_sizes=1) == (0, math.inf)


def test_a_configuration_can_be_had_without_numpy() -> None:
    code = (
        "import sys, navcore.contract.profiler_config, navcore.evaluation.closed_loop; sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
