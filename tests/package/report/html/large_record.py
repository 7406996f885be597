"""A record of forty rows, three outputs and a hundred samples, with everything behind it; the same each time."""

from __future__ import annotations

from functools import cache

import attrs
import numpy as np

from navcore.workspace.results import FormatResult, Status
from navcore.workspace.status.record import Record

from .given_records import broken, errors_file, latencies_file, made, ranking, record, source

ROWS, SAMPLES, OUTPUTS = 36, 100, ("scores", "boxes", "labels")


@cache
def large_record() -> Record:
    """Thirty-six rows that verified, some of them exact, and four that failed."""
    chance = np.random.default_rng(0)
    rows: list[FormatResult] = [source(8.0, 12.0)]
    ratios = []
    for number in range(ROWS):
        speed = float(chance.uniform(0.5, 6))
        error = 0.0 if number % 9 == 0 else float(10 ** chance.uniform(-8, -3))
        name = f"torchscript-variant-{number}-fp16"
        rows.append(made(name, error, 8 / speed, 12 / speed))
        ratios.append((name, speed, speed * 0.96, speed * 1.05))
    rows += [broken(f"broken-{number}", f"operator {number} is not there", hint="Write it.") for number in range(4)]
    rows[-1] = attrs.evolve(rows[-1], status=Status.UNAVAILABLE)
    rows[-5] = attrs.evolve(rows[-5], requested=False)
    rows[3] = attrs.evolve(rows[3], notes=("The batch axis 'batch' is fixed.",))
    return record(*rows, ranking=ranking(*sorted(ratios, key=lambda one: -one[1])))


def files_behind(place: str) -> bytes | None:
    """The latencies and the errors of any of its rows."""
    chance = np.random.default_rng(len(place) + sum(map(ord, place)))
    if place.endswith(".blocks.npz"):
        return latencies_file({size: list(size * chance.lognormal(0, 0.1, 1000)) for size in (1, 2)})
    if place.endswith(".errors.npz"):
        return errors_file(10 ** chance.uniform(-8, -4, (len(OUTPUTS), SAMPLES)), OUTPUTS)  # type: ignore[arg-type]
    return None
