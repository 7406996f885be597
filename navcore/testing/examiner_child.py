"""The process in which a plugin is tried: ``python -m navcore.testing.examiner_child DESCRIPTOR``.

Foreign code runs here, imports included; whoever watches it (:mod:`navcore.testing.examiner`) is told beforehand whose.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Collection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from navcore.execution import IMPORTED_BY_STEPS, enter_child, warm_children
from navcore.registry import Registry, candidates
from navcore.testing import importing, trial
from navcore.testing.busy import Doing, busy
from navcore.testing.cases import Case, cases_of, examined
from navcore.testing.ground import Ground
from navcore.testing.importing import bring_in
from navcore.testing.own_plugins import announced, tell_own_plugins
from navcore.workspace import describe, from_data, to_data


def main(descriptor: int) -> None:
    """Answer questions on the connection until whoever asks hangs up."""
    enter_child()
    os.set_inheritable(descriptor, False)  # what is started here must not keep it open
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, ConnectionError):
        request = connection.recv()

        alone = threading.Lock()  # a run tells what it does from several threads

        def tell(doing: Doing | None) -> None:
            with alone:
                connection.send(("doing", None if doing is None else to_data(doing)))

        _import(request["plugin"], request["timeout"], tell)
        folder = Path(request["folder"])
        tell_own_plugins(folder / "imported")
        with announced(importing.NAME, importing.__name__):
            ground = Ground(
                request["plugin"],
                folder,
                timeout=request["timeout"],
                allowed_imports=request["allowed_imports"],
                tell=tell,
                reported=request["reported"],
            )
            cases = cases_of(request["plugin"], ground.registry)
            connection.send(("cases", to_data(tuple(cases))))
            own = _packages(ground.registry, [request["plugin"]])
            others = _packages(ground.registry) - own
            with warm_children(folder, (*IMPORTED_BY_STEPS, trial.__name__), plugins=sorted(others)):
                while True:
                    case = from_data(connection.recv(), Case)
                    bring_in(folder / "imported", without=own | others)
                    connection.send(("finding", _answer(case, cases, ground)))


def _answer(case: Case, cases: Any, ground: Ground) -> dict[str, Any]:
    try:
        finding = examined(case, cases[case], ground)
    except Exception as error:
        return {"problem": describe(error).cause}
    return {"finding": to_data(finding), "reported": ground.reported.told}


def _packages(registry: Registry, names: Collection[str] = ()) -> set[str]:
    """The names of the packages that these plugins are in; without names, of all that can be used."""
    found = [one for one in registry.plugins if one.module is not None and (not names or one.name in names)]
    return {one.module.__name__.partition(".")[0] for one in found if one.module is not None}


def _import(plugin: str, timeout: float, tell: Any) -> None:
    """Import the module alone, so that it is known whose import does not end; what it raises is told later."""
    target = next((one.target for one in candidates() if one.name == plugin and not one.problem), None)
    if target is not None:
        module = target.partition(":")[0].strip()
        with contextlib.suppress(BaseException), busy(tell, Doing(f"importing {module}", ("plugin",), timeout)):
            importlib.import_module(module)


if __name__ == "__main__":
    main(int(sys.argv[1]))
