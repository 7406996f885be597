"""What a step wrote is looked at before it becomes a format's: a model, the declared assets, and no others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from navcore.contract import ASSETS, Made
from navcore.errors import PluginError
from navcore.planning import Step
from navcore.workspace import size_of


def why_not_accepted(step: Step, made: Made, written: Path) -> PluginError | None:
    """Why what lies in the folder ``written`` cannot be what the step promised; ``None`` when it can."""
    model = written / step.target.filename
    who = step.route.who
    if not model.exists() or not size_of(model):
        return PluginError(
            f"it reported success and wrote nothing at {step.target.filename}.",
            who=who,
            hint="Its log may say more; the route has to write job.output.",
        )
    try:
        found = set(_files_below(written / ASSETS))
    except PluginError as error:
        error.who = who
        return error
    declared = set(made.assets)
    if missing := sorted(declared - found):
        return PluginError(
            f"it declared the asset {missing[0]!r} and did not write it.",
            who=who,
            hint=f"Write it at job.asset({missing[0]!r}), or leave it out of Made(assets=…).",
        )
    if other := sorted(found - declared):
        return PluginError(
            f"it wrote {ASSETS}/{other[0]} and did not declare it.",
            who=who,
            hint=f"Return Made(assets=({other[0]!r},)), or do not leave it there.",
        )
    return None


def _files_below(folder: Path) -> Iterator[str]:
    """The regular files of the folder of the assets, by name. Raises :class:`PluginError` for what is none."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise PluginError(f"what it left at {ASSETS} is no folder.", hint="That is where the assets go.")
    for parent, folders, files in os.walk(folder):
        for entry in (*folders, *files):
            path = Path(parent, entry)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                yield path.relative_to(folder).as_posix()
            elif not stat.S_ISDIR(mode):
                what = "a link" if stat.S_ISLNK(mode) else "no regular file"
                raise PluginError(
                    f"the asset {path.relative_to(folder).as_posix()!r} is {what}.",
                    hint="Copy the content: a package holds files, and nothing that points elsewhere.",
                )
