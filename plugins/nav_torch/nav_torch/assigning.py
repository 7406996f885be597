"""Buffers that a model assigns anew while torch.export captures it: what the program must not write back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def assigned(root: torch.nn.Module) -> Iterator[dict[str, int]]:
    """The root module's own buffers that are assigned or registered meanwhile: name → place among its buffers."""
    import torch

    places: dict[str, int] = {}

    def note(module: torch.nn.Module, name: str, _buffer: Any) -> None:
        if module._buffers is root._buffers:
            own = list(module._buffers)
            places[name] = own.index(name) if name in own else len(own)

    handle = torch.nn.modules.module.register_module_buffer_registration_hook(note)
    try:
        yield places
    finally:
        handle.remove()


def drop_false_copies(program: torch.export.ExportedProgram, places: Mapping[str, int]) -> None:
    """Take out of a program the copies into buffers that cannot hold what is copied.

    A capture that is not strict ends with a copy of every buffer that the root module assigned into what had the
    buffer's place when the capture began. That is wrong for a table that the model makes longer, which does not fit,
    and for one that it registers only then: what has its place is another buffer, such as a batch norm's mean, or an
    input. The program computes such a table in each call anyway. ``places`` are the buffers that were assigned, as
    :func:`assigned` gives them.
    """
    signature, graph = program.graph_signature, program.graph
    targets = [*signature.inputs_to_buffers.items(), *((one, None) for one in signature.user_inputs)]
    false = []
    for name, place in places.items():
        node, title = targets[place] if place < len(targets) else ("", None)
        copy = next((one for one in reversed(graph.nodes) if _copies_into(one, node)), None)
        if copy is not None and (title != name or _size(copy.args[0]) != _size(copy.args[1])):
            false.append(copy)
    for copy in false:
        graph.erase_node(copy)
    if false:
        program.graph_module.recompile()


def _copies_into(node: Any, target: Any) -> bool:
    import torch

    return node.target is torch.ops.aten.copy_.default and not node.users and node.args[0].name == target


def _size(node: Any) -> Any:
    return node.meta["val"].shape
