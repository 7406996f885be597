"""Buffers that a model assigns anew while torch.export captures it: what the program must not write back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def assigned(root: torch.nn.Module) -> Iterator[set[str]]:
    """The names of the root module's own buffers that are assigned or registered meanwhile."""
    import torch

    names: set[str] = set()

    def note(module: torch.nn.Module, name: str, _buffer: Any) -> None:
        if module._buffers is root._buffers:
            names.add(name)

    handle = torch.nn.modules.module.register_module_buffer_registration_hook(note)
    try:
        yield names
    finally:
        handle.remove()


def drop_false_copies(program: torch.export.ExportedProgram, names: Collection[str]) -> None:
    """Take out of a program the copies into buffers that cannot hold what is copied.

    A capture that is not strict ends with a copy of every buffer that the root module assigned into the buffer's old
    memory. That is wrong for a table that the model makes longer, which does not fit, and for one that it registers
    only then: the copy goes to whichever buffer stands at that place, such as a batch norm's mean. The program computes
    such a table in each call anyway. ``names`` are the buffers that were assigned.
    """
    import torch

    graph, buffers = program.graph, program.graph_signature.inputs_to_buffers
    false = []
    for node in graph.nodes:
        if node.op != "call_function" or node.target is not torch.ops.aten.copy_.default or node.users:
            continue
        into, value = node.args[:2]
        if node.meta is not value.meta or into.op != "placeholder":  # a copy that the model itself makes
            continue
        fits = into.meta["val"].shape == value.meta["val"].shape
        if buffers.get(into.name) not in names or not fits:
            false.append(node)
    for node in false:
        graph.erase_node(node)
    if false:
        program.graph_module.recompile()
