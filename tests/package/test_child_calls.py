"""A plugin's function on a package, in a process of its own: what it gives, how it fails, and within which limits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.errors import InputError

pytestmark = pytest.mark.processes

HERE = "tests.package.test_child_calls"


def doubled(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"twice": given["number"] * 2, "process": os.getpid(), "infinite": float("inf")}


def refusing(given: Mapping[str, Any]) -> None:
    raise InputError(f"{given['what']} is wrong.", hint="Give another.")


def dying(_: Mapping[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleeping(_: Mapping[str, Any]) -> None:
    time.sleep(60)


def growing(given: Mapping[str, Any]) -> int:
    held = np.ones(given["bytes"], np.uint8)
    time.sleep(1)
    return int(held[0])


def test_a_function_is_called_in_another_process(finished: Any) -> None:
    with finished.child_calls() as calls:
        told = calls(f"{HERE}:doubled", {"number": 21})
        assert calls(f"{HERE}:doubled", {"number": 1})["process"] != told["process"]
        assert calls.folder.is_relative_to(finished.workspace / ".navcore")
    assert (told["twice"], told["infinite"]) == (42, float("inf"))
    assert told["process"] != os.getpid()
    assert not calls.folder.exists()


def test_what_it_raises_is_a_failed_step_and_the_next_call_works(finished: Any) -> None:
    with finished.child_calls(timeout=20) as calls:
        with pytest.raises(nav.StepError, match=r"This is wrong\. Give another\."):
            calls(f"{HERE}:refusing", {"what": "This"})
        with pytest.raises(nav.StepCrashed, match="SIGSEGV"):
            calls(f"{HERE}:dying", {})
        assert calls(f"{HERE}:doubled", {"number": 2})["twice"] == 4


def test_it_has_the_limits_that_were_given(finished: Any) -> None:
    with finished.child_calls(timeout=3.0) as calls, pytest.raises(nav.StepCrashed, match=r"3 s|time"):
        calls(f"{HERE}:sleeping", {})
    with finished.child_calls(memory_limit=300 << 20) as calls, pytest.raises(nav.StepCrashed, match="300 MiB"):
        calls(f"{HERE}:growing", {"bytes": 1 << 30})


def test_a_package_of_a_stranger_has_limits_of_its_own(packed: Path, tmp_path: Path) -> None:
    package = nav.load(packed, tmp_path, retest_conversions=False)
    with package.child_calls() as calls:
        assert calls.limits.timeout is not None
        assert calls.limits.memory_limit is not None
        assert calls.limits.memory_limit >= 2 << 30
    trusted = nav.load(packed, tmp_path, retest_conversions=False, trust=True)
    with trusted.child_calls() as calls:
        assert calls.limits.memory_limit is None


def test_samples_are_a_batch_of_one_each_and_are_read_again(finished: Any, tmp_path: Path) -> None:
    samples = finished.samples()
    first, second = ([dict(feeds) for feeds in samples] for _ in range(2))
    counts = finished.record.samples.counts
    assert len(first) == counts["correctness"] + counts["conversion"]
    assert all(np.array_equal(one["x"], other["x"]) for one, other in zip(first, second, strict=True))
    assert {feeds["x"].shape[0] for feeds in first} == {1}
    finished.save(tmp_path / "bare.nav", save_data=False)
    bare = nav.load(tmp_path / "bare.nav", tmp_path, retest_conversions=False)
    with pytest.raises(nav.PackageIncomplete, match="holds no samples"):
        bare.samples()
