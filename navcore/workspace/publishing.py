"""Write a record to ``status.yaml`` and each ``config.yaml``, and carry the word of the user over to it."""

from __future__ import annotations

import attrs

from navcore.contract import Format
from navcore.workspace.digests import digest
from navcore.workspace.folder import Workspace
from navcore.workspace.journal import Journal
from navcore.workspace.results import FormatResult, RuntimeResult, Status
from navcore.workspace.settings import Settings
from navcore.workspace.status import Record, write_config, write_status


def publish(workspace: Workspace, record: Record, asked: Settings | None = None) -> None:
    """Write the record to status.yaml, and a config.yaml beside every variant that did not fail.

    One that was made and not run anywhere yet is described as well: another machine may run it.

    ``asked`` are the settings that each config.yaml states, where those of the record are to be shown and not obeyed.
    """
    configured = record if asked is None else attrs.evolve(record, settings=asked)
    write_status(workspace.status_file, record)
    for row in record.results:
        config = workspace.format_folder(row.format.name) / "config.yaml"
        if row.path is None or row.live:
            continue
        if row.status in (Status.OK, Status.UNVERIFIED) or any(one.status == Status.OK for one in row.runtimes):
            write_config(config, configured, row)
        else:
            config.unlink(missing_ok=True)


def keep_verified(record: Record, results: tuple[FormatResult, ...], journal: Journal) -> tuple[FormatResult, ...]:
    """Carry the user's ``set_verified`` over to the same rows of a continued run, by format and runtime.

    The journal has it too, since a run that was killed leaves a record of the rows it got to.
    """
    said = {
        (row.format.name, runtime.runtime) for row in record.results for runtime in row.runtimes if runtime.verified
    }

    def carried(row: FormatResult, runtime: RuntimeResult) -> RuntimeResult:
        if runtime.verified or runtime.status != Status.OK:
            return runtime
        key = word_key(record, row.format, runtime.runtime)
        word = (row.format.name, runtime.runtime) in said or journal.find("said", key) is not None
        return attrs.evolve(runtime, verified=word)

    return tuple(attrs.evolve(row, runtimes=tuple(carried(row, one) for one in row.runtimes)) for row in results)


def word_key(record: Record, format: Format, runtime: str) -> str:
    """Under which the user's word on one row is remembered: it is about this source, and no other."""
    return digest("said", record.source_key, format.name, runtime)
