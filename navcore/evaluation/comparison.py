"""One comparison: inputs for a model under test, and what the source returned for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import numpy as np


@attrs.frozen(eq=False)
class Comparison:
    """Feed ``feeds`` and expect ``expected``; both are named arrays with the batch axis in place.

    ``label`` is how a message calls it ("correctness sample 3"). ``symbol`` is the one dynamic axis by which it
    differs from a comparison that stands before it, when it was made to find out whether that axis still moves;
    ``size`` is the size of that axis here. ``seeded`` is what a source that draws random numbers returned while they
    were held; empty for any other.
    """

    label: str
    feeds: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    symbol: str | None = None
    size: int | None = None
    seeded: Mapping[str, np.ndarray] = attrs.field(factory=dict)
