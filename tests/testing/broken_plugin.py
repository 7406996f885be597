"""A plugin that is sound, and the deliberate breaks of it: in each one line is wrong."""

from __future__ import annotations

import attrs

SOUND = '''
"""A plugin without a fault: models with two outputs of one shape, stored as npz files."""

import ctypes
import time

import numpy as np

from navcore import Format, Live, Runner, exporter, runner


class Pair:
    """Returns the sum and the difference of ``x`` and its weight."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, x):
        return {"sum": x + self.weight, "difference": x * self.weight}


def to_array(value):
    return value if isinstance(value, np.ndarray) else None


LIVE = Format(
    "pair-live",
    live=Live((f"{__name__}.Pair",), to_array, lambda array, _: array, lambda model: [("weight", model.weight)]),
)
STORED = Format("pair", filename="model.npz")


@runner(LIVE, runtime="pair-eager")
def run_live(job):
    def call(feeds):
        args, kwargs = job.signature.bind(feeds)
        return job.signature.name_outputs(job.artifact.model(*args, **kwargs), to_array)

    return Runner(call)


@exporter(LIVE, STORED, isolation="fork")
def pair_from_live(job):
    weight = job.source.model.weight
    np.savez(job.output, weight=weight)


@runner(STORED, runtime="pair-cpu")
def run_stored(job):
    with np.load(job.artifact.file, allow_pickle=False) as stored:
        weight = stored["weight"]

    def call(feeds):
        x = feeds["x"]
        total, difference = x + weight, x * weight
        return {"sum": total, "difference": difference}

    return Runner(call)


def conformance_model():
    numbers = np.random.RandomState(7)
    model = Pair(numbers.randn(4).astype(np.float32))
    return model, [{"x": numbers.randn(2, 4).astype(np.float32)} for _ in range(5)]
'''

_EXPORT = "np.savez(job.output, weight=weight)"
_CALL = "x = feeds["  # where a call begins
_ANSWER = 'return {"sum": total, "difference": difference}'
_HEAD = "import ctypes\n"


@attrs.frozen
class Break:
    """One thing that is wrong with the plugin.

    ``sound`` is replaced by ``faulty``. ``cause`` is how the first sentence begins that says so, ``case`` the check of
    the kit that says it. ``row`` is false where a run has no row to say it in.
    """

    name: str
    sound: str
    faulty: str
    case: str
    cause: str
    row: bool = True


_MADE = "output_is_made[pair_from_live]"
_AGREES = "product_agrees_with_the_source[pair_from_live]"
_WHO_MADE = "pair (pair_from_live): "
_WHO_RAN = "pair (run_stored): "

BREAKS = (
    Break(
        "outputs swapped",
        _ANSWER,
        'return {"sum": difference, "difference": total}',
        _AGREES,
        "Output 'sum' has the values of 'difference'",
    ),
    Break(
        "row 0 for all",
        _ANSWER,
        'return {"sum": total[:1].repeat(len(x), 0), "difference": difference[:1].repeat(len(x), 0)}',
        _AGREES,
        "Every row of output 'sum' equals row 0",
    ),
    Break(
        "dtype changed",
        _ANSWER,
        'return {"sum": total.astype(np.float64), "difference": difference}',
        _AGREES,
        "In correctness sample 0: output 'sum' is float64 where the source returns float32",
    ),
    Break(
        "SIGSEGV in call", _CALL, f"ctypes.string_at(0); {_CALL}", _AGREES, f"{_WHO_RAN}killed by SIGSEGV"
    ),
    Break(
        "SIGSEGV in export", _EXPORT, f"ctypes.string_at(0); {_EXPORT}", _MADE, f"{_WHO_MADE}killed by SIGSEGV"
    ),
    Break("hang in call", _CALL, f"time.sleep(600); {_CALL}", _AGREES, f"{_WHO_RAN}ran longer than"),
    Break("hang in export", _EXPORT, f"time.sleep(600); {_EXPORT}", _MADE, f"{_WHO_MADE}ran longer than"),
    Break("prints at import", _HEAD, f"{_HEAD}print('Pair 3.0')\n", "imports_silently", "importing", row=False),
    Break(
        "missing import", _HEAD, f"{_HEAD}import not_installed\n", "imports_light",
        "ModuleNotFoundError: No module named 'not_installed'", row=False,
    ),
    Break(
        "missing import in a function",
        "weight = job.source.model.weight",
        "import not_installed; weight = job.source.model.weight",
        _MADE,
        f"{_WHO_MADE}ModuleNotFoundError: No module named 'not_installed'",
    ),
)  # fmt: skip

_CALLER = 'isolation="caller")\ndef pair_from_live(job):\n    '
_FORK = 'isolation="fork")\ndef pair_from_live(job):\n    '
_LIVE = "args, kwargs = job.signature.bind(feeds)"
_OFFER = "numbers = np.random"
_DYING, _HANGING = "killed by SIGSEGV", "ran longer than"

_IN_OFFER = "conformance_model() of pair: "
_IMPORTING = "importing MODULE: "
_FIRST = "imports_light"

UNCONTAINED = (
    Break("SIGSEGV in the caller", _FORK, f"{_CALLER}ctypes.string_at(0); ", _MADE, f"{_WHO_MADE}{_DYING}"),
    Break("hang in the caller", _FORK, f"{_CALLER}time.sleep(600); ", _MADE, f"{_WHO_MADE}{_HANGING}"),
    Break("SIGSEGV in the source", _LIVE, f"ctypes.string_at(0); {_LIVE}", _MADE, f"pair (run_live): {_DYING}"),
    Break("hang in the source", _LIVE, f"time.sleep(600); {_LIVE}", _MADE, f"pair (run_live): {_HANGING}"),
    Break("SIGSEGV in the offer", _OFFER, f"ctypes.string_at(0); {_OFFER}", _MADE, f"{_IN_OFFER}{_DYING}"),
    Break("hang in the offer", _OFFER, f"time.sleep(600); {_OFFER}", _MADE, f"{_IN_OFFER}{_HANGING}"),
    Break("SIGSEGV at import", _HEAD, f"{_HEAD}ctypes.string_at(0)\n", _FIRST, f"{_IMPORTING}{_DYING}"),
    Break("hang at import", _HEAD, f"{_HEAD}import time; time.sleep(600)\n", _FIRST, f"{_IMPORTING}{_HANGING}"),
    Break("exit at import", _HEAD, f"{_HEAD}import os; os._exit(3)\n", _FIRST, f"{_IMPORTING}it ended its process"),
)
"""What a run cannot contain, since it happens in the process of whoever calls: the kit does."""
