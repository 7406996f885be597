"""The conformance kit: every check that follows from a plugin's declared routes, as one pytest function.

A plugin's whole test file::

    from navcore.testing.conformance import conformance

    test_conformance = conformance("openvino")
"""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from navcore.errors import InputError
from navcore.testing.cases import Case
from navcore.testing.checks import CHECK_NAMES
from navcore.testing.examiner import Examiner
from navcore.testing.verdicts import Finding

if TYPE_CHECKING:
    import pytest

_NOTHING: Mapping[str, str] = MappingProxyType({})
_TO_IMPORT = 60.0


def cases(name: str, *, timeout: float = _TO_IMPORT) -> tuple[Case, ...]:
    """Every case for the installed plugin ``name``; one that is not usable has those about the plugin as a whole.

    The plugin is imported in a child, for at most ``timeout`` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="navcore-conformance-") as folder:
        examiner = Examiner(name, Path(folder), timeout=timeout)
        try:
            return examiner.cases()
        finally:
            examiner.close()


def examine(
    name: str,
    *,
    checks: Collection[str] | None = None,
    timeout: float = 300.0,
    allowed_imports: Sequence[str] = (),
    told: Callable[[Finding], None] = lambda _: None,
) -> tuple[Finding, ...]:
    """Try the installed plugin ``name`` without pytest: one finding per case, nothing raised for what it does.

    ``checks`` limits it to checks of these names. ``timeout`` and ``allowed_imports`` as for :func:`conformance`.
    ``told`` is called with each finding as soon as it is there. The plugin is tried in a child process.

    Raises:
        InputError: there is no check of one of these names.
    """
    for one in checks or ():
        if one not in CHECK_NAMES:
            raise InputError(f"There is no check {one!r}.", hint=_near(one, CHECK_NAMES))
    found = []
    with tempfile.TemporaryDirectory(prefix="navcore-conformance-") as folder:
        examiner = Examiner(name, Path(folder), timeout=timeout, allowed_imports=allowed_imports)
        try:
            for case in examiner.cases():
                if checks is None or case.check in checks:
                    found.append(examiner.examined(case))
                    told(found[-1])
        finally:
            examiner.close()
    return tuple(found)


def conformance(
    name: str,
    *,
    expected_failures: Mapping[str, str] = _NOTHING,
    marks: Mapping[str, pytest.MarkDecorator] = MappingProxyType({}),
    timeout: float = 300.0,
    allowed_imports: Sequence[str] = (),
) -> Callable[..., None]:
    """A pytest function, parametrized over the checks that follow from the routes of the installed plugin ``name``.

    Args:
        name: the plugin, as it is called in the entry-point group ``navcore.v1``.
        expected_failures: ``{"check": reason}`` or ``{"check[route]": reason}``, as the test's ids show them. Such a
            case is reported as an expected failure; when it passes, that is an error.
        marks: by check or case, written in the same way, a mark of pytest's: ``pytest.mark.slow``, say, for what your
            suite need not try each time.
        timeout: seconds that each step may take.
        allowed_imports: distributions that the plugin's module may import though they are neither navcore's nor its
            own.

    Raises:
        InputError: ``expected_failures`` or ``marks`` names no check or no case of this plugin, or a failure is
            expected for no reason.
    """
    import pytest

    found = cases(name, timeout=min(timeout, _TO_IMPORT))
    _refuse_unknown("expected_failures", expected_failures, found)
    _refuse_unknown("marks", marks, found)
    for key, reason in expected_failures.items():
        if not reason.strip():
            raise InputError(f"expected_failures[{key!r}] gives no reason.", hint="Say why, for whoever reads it next.")
    examiners: list[Examiner] = []

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.id, marks=_marks_of(case, marks)) for case in found])
    def test_conformance(case: Case, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> None:
        if not examiners:  # one for all cases: what one of them made, the others use
            folder = tmp_path_factory.mktemp(f"conformance-{name}")
            examiners.append(Examiner(name, folder, timeout=timeout, allowed_imports=allowed_imports))
            pytestconfig.add_cleanup(examiners[0].close)
        expected = case.expectation(expected_failures)
        finding = examiners[0].examined(case)
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


def _marks_of(case: Case, marks: Mapping[str, pytest.MarkDecorator]) -> list[pytest.MarkDecorator]:
    return [marks[key] for key in (case.check, case.id) if key in marks]


def _refuse_unknown(argument: str, keys: Collection[str], found: Sequence[Case]) -> None:
    known = sorted({*CHECK_NAMES, *(case.id for case in found)})
    for key in keys:
        if key not in known:
            raise InputError(f"{argument}[{key!r}] is no check of this plugin.", hint=_near(key, known))


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Checks: {', '.join(CHECK_NAMES)}."
