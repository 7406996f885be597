"""What the caller of a load asks for stands in place of what was recorded of the same things, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from navcore.errors import OptionError, UnknownFormat
from navcore.planning.asked import Asked, named_formats, refuse_unknown, replaced_by, with_asked, without_unused
from navcore.planning.recorded import obeyed
from navcore.registry import load_registry
from navcore.workspace import Settings

RECORDED = Settings(
    options={"toy-beta": {"scale": 2.0, "mischief": "raise"}, "toy-gamma": {"scale": 3.0}},
    runtimes={"toy-alpha": ("toy-oracle",), "toy-beta": ("toy-runtime",)},
    device="cuda:7",
)


@pytest.fixture
def registry(toy: Any) -> Any:
    return load_registry()


def test_the_users_option_replaces_the_recorded_one_of_that_name_alone(registry: Any) -> None:
    asked = Asked(options={"toy-beta": {"scale": 1.0}})
    settings = with_asked(replaced_by(asked, RECORDED, registry.formats), asked)
    assert settings.options == {"toy-beta": {"mischief": "raise", "scale": 1.0}, "toy-gamma": {"scale": 3.0}}
    assert (settings.runtimes, settings.device) == (RECORDED.runtimes, "cuda:7")


def test_what_the_user_says_of_a_family_comes_before_what_was_recorded_of_its_formats(registry: Any) -> None:
    asked = Asked(options={"toy": {"scale": 1.0}}, runtimes={"toy": ("toy-runtime",)}, device="cpu")
    settings = with_asked(replaced_by(asked, RECORDED, registry.formats), asked)
    assert settings.options == {"toy-beta": {"mischief": "raise"}, "toy": {"scale": 1.0}}
    assert settings.runtimes == {"toy": ("toy-runtime",)}
    assert settings.device == "cpu"


def test_without_trust_the_users_own_is_obeyed_and_the_rest_shown(registry: Any) -> None:
    asked = Asked(options={"toy-beta": {"mischief": ""}}, device="cpu")
    here = obeyed(RECORDED, registry, trust=False, weights=0, asked=asked)
    assert here.options["toy:beta_from_alpha"].mischief == ""
    assert here.settings.device == "cpu"
    assert here.options_set_aside == {}
    assert not any("device" in one for one in here.set_aside)


def test_what_nobody_here_knows_is_refused(registry: Any) -> None:
    with pytest.raises(UnknownFormat, match="No installed plugin knows the target 'onyx'"):
        refuse_unknown(Asked(targets=("onyx",)), registry)
    with pytest.raises(OptionError):
        refuse_unknown(Asked(options={"toy-beta": {"speed": 1}}), registry)
    with pytest.raises(OptionError, match="No installed plugin runs toy-beta in 'abacus'"):
        refuse_unknown(Asked(runtimes={"toy-beta": ("abacus",)}), registry)


def test_a_family_means_its_usual_formats(registry: Any) -> None:
    assert [format.name for format in named_formats("toy-beta", registry)] == ["toy-beta"]
    assert {"toy-alpha", "toy-beta", "toy-gamma"} <= {format.name for format in named_formats("toy", registry)}


def test_options_of_making_what_is_kept_go_for_nothing(registry: Any) -> None:
    asked = Asked(options={
        "toy-alpha": {"scale": 2.0}, "toy-alpha/toy-runtime": {"mischief": ""}, "toy-beta": {"scale": 3.0},
        "toy": {"scale": 4.0},
    })  # fmt: skip
    used, unused = without_unused(asked, ["toy-alpha"], ["toy-beta"], registry)
    assert set(used.options) == {"toy-alpha/toy-runtime", "toy-beta", "toy"}
    assert unused == {"toy-alpha": ("toy-alpha.scale=2.0",)}
    assert without_unused(asked, [], ["toy-beta"], registry) == (asked, {})
