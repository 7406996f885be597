"""The conformance kit: every check that follows from a plugin's declared routes, as one pytest function.

A plugin's whole test file::

    from navcore.testing.conformance import conformance

    test_conformance = conformance("openvino")
"""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from navcore.errors import InputError
from navcore.registry import Registry, load_registry
from navcore.testing.checks import CHECK_NAMES, PLUGIN_CHECKS, checks_of
from navcore.testing.ground import Ground
from navcore.testing.verdicts import Finding, NotHere, NotMet

_NOTHING: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class Case:
    """One check on one route (``""``: on the plugin as a whole). ``title`` and ``advice`` are its docstring's parts."""

    check: str
    route: str
    function: Callable[[Ground], None] = attrs.field(eq=False, repr=False)
    docstring: str = attrs.field(eq=False, repr=False)

    @property
    def id(self) -> str:
        """``check`` or ``check[route]``: the name of the case, also in ``expected_failures``."""
        return f"{self.check}[{self.route}]" if self.route else self.check

    @property
    def advice(self) -> str:
        """What to do when it fails."""
        return " ".join(self.docstring.partition("If this fails: ")[2].split())

    def expectation(self, expected_failures: Mapping[str, str]) -> str:
        """The reason why this case is expected to fail, or ``""``."""
        return expected_failures.get(self.id, expected_failures.get(self.check, ""))


def cases(name: str, registry: Registry | None = None) -> tuple[Case, ...]:
    """Every case for the installed plugin ``name``; one that is not usable has those about the plugin as a whole."""
    registry = registry or load_registry()
    found = [Case(check.__name__, "", check, check.__doc__ or "") for check in PLUGIN_CHECKS]
    plugin = registry.plugin(name)
    live = {format.name for format in registry.formats if format.live is not None}
    on_disk = {format.name for format in registry.formats if format.suffixes or format.recognises is not None}
    for route in plugin.routes if plugin is not None and plugin.loaded else ():
        label = f"{route.name}, {route.source}" if route.hook == "make_runner" else route.name
        for check in checks_of(route, live=route.source in live, on_disk=route.source in on_disk):

            def tried(ground: Ground, check: Any = check, identity: str = route.id) -> None:
                check(ground, ground.registry.route(identity))

            found.append(Case(check.__name__, label, tried, check.__doc__ or ""))
    return tuple(found)


def examine(
    name: str,
    *,
    checks: Collection[str] | None = None,
    timeout: float = 300.0,
    allowed_imports: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Try the installed plugin ``name`` without pytest: one finding per case, nothing raised for what it does.

    ``checks`` limits it to checks of these names. ``timeout`` and ``allowed_imports`` as for :func:`conformance`.
    """
    with tempfile.TemporaryDirectory(prefix="navcore-conformance-") as folder:
        ground = Ground(name, Path(folder), timeout=timeout, allowed_imports=allowed_imports)
        wanted = [case for case in cases(name, ground.registry) if checks is None or case.check in checks]
        return tuple(_examined(wanted, ground))


def _examined(wanted: Sequence[Case], ground: Ground) -> Iterator[Finding]:
    for case in wanted:
        try:
            case.function(ground)
        except NotMet as error:
            yield Finding(case.check, case.route, "failed", str(error), error.advice or case.advice)
        except NotHere as error:
            yield Finding(case.check, case.route, "skipped", str(error))
        else:
            yield Finding(case.check, case.route, "ok")


def conformance(
    name: str,
    *,
    expected_failures: Mapping[str, str] = _NOTHING,
    timeout: float = 300.0,
    allowed_imports: Sequence[str] = (),
) -> Callable[..., None]:
    """A pytest function, parametrized over the checks that follow from the routes of the installed plugin ``name``.

    Args:
        name: the plugin, as it is called in the entry-point group ``navcore.v1``.
        expected_failures: ``{"check": reason}`` or ``{"check[route]": reason}``, as the test's ids show them. Such a
            case is reported as an expected failure; when it passes, that is an error.
        timeout: seconds that each step may take.
        allowed_imports: distributions that the plugin's module may import though they are neither navcore's nor its
            own.

    Raises:
        InputError: ``expected_failures`` names no check or no case of this plugin, or gives no reason.
    """
    import pytest

    found = cases(name)
    _refuse_unknown(expected_failures, found)
    grounds: list[Ground] = []

    @pytest.mark.parametrize("case", found, ids=[case.id for case in found])
    def test_conformance(case: Case, tmp_path_factory: pytest.TempPathFactory) -> None:
        if not grounds:  # made when the first case runs: collecting tests costs nothing
            folder = tmp_path_factory.mktemp(f"conformance-{name}")
            grounds.append(Ground(name, folder, timeout=timeout, allowed_imports=allowed_imports))
        expected = case.expectation(expected_failures)
        (finding,) = _examined([case], grounds[0])
        if finding.verdict == "skipped":
            pytest.skip(finding.reason)
        if finding.verdict == "failed" and expected:
            pytest.xfail(f"{expected} ({finding.reason})")
        if finding.verdict == "failed":
            pytest.fail(f"{case.id}: {finding.reason.rstrip('.')}.\n\nWhat to do: {finding.advice}", pytrace=False)
        if expected:
            pytest.fail(
                f"{case.id} was expected to fail ({expected}) and passes: take it out of expected_failures.",
                pytrace=False,
            )

    return test_conformance


def _refuse_unknown(expected_failures: Mapping[str, str], found: Sequence[Case]) -> None:
    known = sorted({*CHECK_NAMES, *(case.id for case in found)})
    for key, reason in expected_failures.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise InputError(
                f"expected_failures[{key!r}] is no check of this plugin.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Checks: {', '.join(CHECK_NAMES)}.",
            )
        if not reason.strip():
            raise InputError(f"expected_failures[{key!r}] gives no reason.", hint="Say why, for whoever reads it next.")
