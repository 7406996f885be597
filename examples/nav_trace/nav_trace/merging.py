"""Merges the notes that all processes of a run have left in its workspace into one Chrome trace."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nav_trace import NOTES


def chrome_trace(workspace: Path) -> dict[str, Any]:
    """What all processes noted in ``workspace``, as an object of Chrome's trace event format.

    One ``B`` event for each beginning and one ``E`` for each end, in the order of time, in microseconds since 1970. A
    step that died has no end. Each process is named after the folders in which it left notes; the one that measured or
    sampled the live source is ``caller``.
    """
    events: list[dict[str, Any]] = []
    places: dict[int, set[str]] = {}
    for notes in sorted(workspace.rglob(NOTES)):
        place = "caller" if notes.parent == workspace else notes.parent.name
        for event in _events(notes):
            events.append(event)
            places.setdefault(event["pid"], set()).add(place)
    names = [
        {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": _name(found)}} for pid, found in places.items()
    ]
    return {"traceEvents": [*names, *sorted(events, key=lambda event: event["ts"])], "displayTimeUnit": "ms"}


def _events(notes: Path) -> Iterator[dict[str, Any]]:
    for line in notes.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the disk was full, or the machine went down, in the middle of a line
            continue


def _name(places: set[str]) -> str:
    return "caller" if "caller" in places else ", ".join(sorted(places))


def main() -> None:
    """``nav-trace WORKSPACE TRACE``."""
    parser = argparse.ArgumentParser("nav-trace", description="Merge the traced steps of a run into one Chrome trace.")
    parser.add_argument("workspace", type=Path, help="the run's folder, navigator_workdir/<model>.nav.workspace")
    parser.add_argument("trace", type=Path, help="the JSON file to write, for chrome://tracing or ui.perfetto.dev")
    asked = parser.parse_args()
    trace = chrome_trace(asked.workspace)
    if not trace["traceEvents"]:
        parser.error(f"no step has left notes in {asked.workspace}: run again with nav-trace installed")
    asked.trace.write_text(json.dumps(trace))
