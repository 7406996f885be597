"""Asks a server over HTTP, in the protocol of KServe with its extension for binary tensors, by the standard library."""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

import attrs
import numpy as np

from nav_triton.tensors import Served, numpy_type
from navcore import Feeds, StepError

Array = np.ndarray[Any, Any]
_HEADER = "Inference-Header-Content-Length"


@attrs.frozen
class Address:
    """Where a model is served: host, port and the name of the model; the newest version, unless one is named."""

    host: str
    port: int
    model: str
    version: int | None = None

    @property
    def path(self) -> str:
        """The path of the model below the server's root."""
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"/v2/models/{quote(self.model, safe='')}{version}"


class Client:
    """One connection to a model that is served: called with arrays by name, as a :class:`navcore.Runner` is.

    ``inputs`` and ``outputs`` are the tensors as the server has them. A connection is for one thread.
    """

    def __init__(self, address: Address, inputs: Sequence[Served], outputs: Sequence[Served]) -> None:
        self._address = address
        self._inputs = inputs
        self._outputs = {one.name: one for one in outputs}
        self._order = [one.source for one in outputs]
        self._asked = [{"name": one.name, "parameters": {"binary_data": True}} for one in outputs]
        self._connection = http.client.HTTPConnection(address.host, address.port, timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def __call__(self, feeds: Feeds) -> dict[str, Array]:
        """The outputs by name, in the signature's order. Raises :class:`StepError` with what the server says."""
        bodies = [np.ascontiguousarray(feeds[one.source]).tobytes() for one in self._inputs]
        told = {
            "inputs": [
                {**_declared(one, feeds), "parameters": {"binary_data_size": len(body)}}
                for one, body in zip(self._inputs, bodies, strict=True)
            ],
            "outputs": self._asked,
        }
        header = json.dumps(told).encode()
        answer, size = self._post(header + b"".join(bodies), len(header))
        return self._arrays(answer, size)

    def _post(self, body: bytes, header: int) -> tuple[bytes, int]:
        path = f"{self._address.path}/infer"
        self._connection.request("POST", path, body, {_HEADER: str(header), "Content-Type": "application/octet-stream"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise StepError(f"The server refused the request: {_said(answer)}")
        return answer, int(response.headers.get(_HEADER, len(answer)))

    def _arrays(self, answer: bytes, header: int) -> dict[str, Array]:
        found: dict[str, Array] = {}
        start = header
        for one in json.loads(answer[:header])["outputs"]:
            dtype, shape = numpy_type(one["datatype"]), tuple(one["shape"])
            end = start + math.prod(shape) * dtype.itemsize
            served = self._outputs[one["name"]]
            array = np.frombuffer(answer[start:end], dtype).reshape(shape[:-1] if served.scalar else shape)
            found[served.source], start = array.copy(), end
        return {name: found[name] for name in self._order}


def request_as_json(feeds: Feeds, inputs: Sequence[Served]) -> str | None:
    """The body of a request in plain JSON; ``None`` where a tensor cannot be written so (FP16 and BF16)."""
    if any(one.type in ("FP16", "BF16") for one in inputs):
        return None
    told = [{**_declared(one, feeds), "data": np.ravel(feeds[one.source]).tolist()} for one in inputs]
    try:
        return json.dumps({"inputs": told}, allow_nan=False)
    except ValueError:
        return None


def _declared(served: Served, feeds: Feeds) -> dict[str, Any]:
    """What a request says of an input: a scalar has one element in the axis that the server takes away."""
    shape = [*np.shape(feeds[served.source]), *([1] if served.scalar else [])]
    return {"name": served.name, "shape": shape, "datatype": served.type}


def is_ready(host: str, port: int) -> bool:
    """Whether the server is up and all its models are loaded."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _said(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, LookupError, TypeError):
        return answer[:500].decode(errors="replace")
