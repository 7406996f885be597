"""What of a stranger's record is obeyed: harmless numbers, bounded measurements, and nothing else."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from navcore.contract import Format, ProfilerConfig
from navcore.planning.asked import Asked, Limits, Measuring
from navcore.planning.recorded import LARGEST_BATCH, NOT_USED, SECONDS, harmless_part, memory_for, obeyed
from navcore.registry import load_registry
from navcore.workspace import Settings

ALPHA = Format("toy-alpha", family="toy")
RECORDED = Settings(
    options={
        "toy-alpha": {"scale": 2.0, "mischief": "segfault"},
        "toy-alpha/toy-runtime": {"mischief": "numbers"},
        "elsewhere": {"library": "evil.so"},
    },
    device="cuda:0",
    profiler="toy",
    timeout=10**9,
    memory_limit=1 << 60,
    profiler_config=ProfilerConfig((1, 1 << 27), measurement_interval=10**12, max_trials=10**9),
)


@pytest.fixture
def registry(toy: Any) -> Any:
    return load_registry()


def without_trust(settings: Settings, registry: Any, **more: Any) -> Any:
    return obeyed(settings, registry, **{"trust": False, "weights": 0, **more})


def test_of_options_only_harmless_numbers_are_used_and_the_row_names_the_others(registry: Any) -> None:
    here = without_trust(RECORDED, registry)
    assert here.settings.options == {"toy-alpha": {"scale": 2.0}}
    assert here.options["toy:alpha_from_toy"].scale == 2.0
    assert here.options["toy:alpha_from_toy"].mischief == ""
    assert here.options["toy:run_toy_file[toy-alpha]"].mischief == ""
    assert "toy-alpha.mischief='segfault'" in here.notes(ALPHA)[0]
    assert here.notes(ALPHA, "toy-runtime") == (f"{NOT_USED} toy-alpha/toy-runtime.mischief='numbers'",)
    assert here.notes(ALPHA, "toy-oracle") == ()


@pytest.mark.parametrize("scale", [100.0, -1.0, float("nan"), "2", None, [2.0], 10**400])
def test_a_number_out_of_its_bounds_is_not_used(registry: Any, scale: object) -> None:
    recorded = attrs.evolve(RECORDED, options={"toy-alpha": {"scale": scale}})
    here = without_trust(recorded, registry)
    assert here.settings.options == {}
    assert "toy-alpha.scale=" in here.notes(ALPHA)[0]


def test_device_profiler_and_limits_are_shown(registry: Any) -> None:
    here = without_trust(RECORDED, registry)
    assert (here.settings.device, here.settings.profiler) == (None, "navcore")
    assert here.settings.memory_limit == memory_for(0)
    assert SECONDS <= here.settings.timeout < 1000
    told = here.notes(ALPHA)[0]
    assert told.startswith(NOT_USED)
    assert all(part in told for part in ("device cuda:0", "profiler toy", "timeout 1000000000", "memory_limit"))


def test_a_measurement_asks_for_no_more_than_navcore_s_own(registry: Any) -> None:
    here = without_trust(RECORDED, registry)
    assert here.settings.profiler_config == ProfilerConfig((1,))
    modest = ProfilerConfig((2, LARGEST_BATCH), measurement_interval=20, max_trials=3)
    assert without_trust(attrs.evolve(RECORDED, profiler_config=modest), registry).settings.profiler_config == modest
    counted = ProfilerConfig(measurement_mode="count_windows", measurement_request_count=10**9)  # type: ignore[arg-type]
    bounded = without_trust(attrs.evolve(RECORDED, profiler_config=counted), registry).settings.profiler_config
    assert bounded.measurement_request_count == 1000


def test_what_the_user_asks_for_is_obeyed(registry: Any) -> None:
    asked = ProfilerConfig((8,), measurement_interval=60_000)
    here = without_trust(RECORDED, registry, asked=Asked(measurement=Measuring(asked), limits=Limits(7.0, 1 << 20)))
    assert (here.settings.timeout, here.settings.memory_limit) == (7.0, 1 << 20)
    assert here.settings.profiler_config == asked
    assert "measurement_interval" not in here.notes(ALPHA)[0]
    assert without_trust(RECORDED, registry, asked=Asked(measurement=Measuring(asked))).settings.timeout > 600


def test_with_trust_all_of_it_is_used(registry: Any) -> None:
    here = obeyed(RECORDED, registry, trust=True, weights=0)
    assert here.options["toy:alpha_from_toy"].mischief == "segfault"
    assert (here.settings.device, here.settings.profiler) == ("cuda:0", "toy")
    assert here.settings.profiler_config == RECORDED.profiler_config
    assert here.notes(ALPHA) == ()
    assert "elsewhere" not in here.settings.options, "no plugin here takes it"


def test_what_was_asked_without_anything_special_has_nothing_to_show(registry: Any) -> None:
    assert without_trust(Settings(), registry).notes(ALPHA) == ()
    assert harmless_part(Settings(), registry) == Settings()
