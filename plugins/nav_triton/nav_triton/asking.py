"""The lines with which a model that is served can be asked: curl, and Python with Triton's own client."""

from __future__ import annotations

import shlex
from pathlib import Path

import attrs
import numpy as np

from nav_triton.client import Address, request_as_json
from nav_triton.repository import ServedModel
from navcore import Feeds


@attrs.frozen
class Lines:
    """``curl`` is ``""`` where a tensor cannot be written as JSON. Both name files that hold a sample."""

    curl: str
    python: str


def lines_for(model: ServedModel, address: Address, feeds: Feeds, folder: Path) -> Lines:
    """The lines, with the sample ``feeds`` in files in ``folder``."""
    for number, one in enumerate(model.inputs):
        array = np.asarray(feeds[one.source])
        np.save(folder / f"{number}.npy", array[..., None] if one.scalar else array, allow_pickle=False)
    return Lines(_curl(model, address, feeds, folder), _python(model, address, folder))


def _curl(model: ServedModel, address: Address, feeds: Feeds, folder: Path) -> str:
    body = request_as_json(feeds, model.inputs)
    if body is None:
        return ""
    file = folder / "request.json"
    file.write_text(body)
    url = f"http://{address.host}:{address.port}{address.path}/infer"
    return f"curl -s {shlex.quote(url)} -H 'Content-Type: application/json' -d {shlex.quote(f'@{file}')}"


def _python(model: ServedModel, address: Address, folder: Path) -> str:
    lines = [
        "import numpy as np",
        "import tritonclient.http as triton",
        "",
        f'client = triton.InferenceServerClient("{address.host}:{address.port}")',
        "inputs = []",
    ]
    for number, one in enumerate(model.inputs):
        lines += [
            f"array = np.load({str(folder / f'{number}.npy')!r})",
            f"inputs.append(triton.InferInput({one.name!r}, list(array.shape), {one.type!r}))",
            "inputs[-1].set_data_from_numpy(array)",
        ]
    lines.append(f"answer = client.infer({model.name!r}, inputs)")
    lines += [f"print({one.name!r}, answer.as_numpy({one.name!r}))" for one in model.outputs]
    return "\n".join(lines)
