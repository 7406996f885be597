"""Nested Python structures of calls and results ↔ flat, named leaves.

A *template* is plain JSON data: ``{"tensor": name}``, ``{"constant": value}``, ``{"tuple": [...]}``,
``{"list": [...]}`` or ``{"dict": [[key, template], ...]}``; a *call template* is ``{"args": [...], "kwargs": [[name,
template], ...]}``. Being data, it travels to children and other machines, where files that forgot how the model was
called are bound by it.

Names follow the reference page: the keys of a mapping, else ``input__0``, ``input__1`` … and ``output__0`` …; a leaf
deeper down adds its path (``cache__0__1``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from navcore.errors import DataloaderError, SourceError

Template = Mapping[str, Any]
"""How a call is made of its named tensors: ``{"args": [...], "kwargs": [[name, template], ...]}``, plain JSON data."""

_CONSTANTS = (str, int, float, bool, type(None))


def flatten_call(item: Any, is_tensor: Callable[[Any], bool]) -> tuple[Template, list[tuple[str, Any]]]:
    """Read one item of a dataloader as a call: a mapping gives keywords, a sequence positions, a tensor one position.

    ``is_tensor`` says of a value whether it is a tensor, whose inside is not looked at.
    Returns the call template and the tensors in order, each with its name. Raises :class:`DataloaderError` when the
    item holds no tensor, two tensors that would have the same name, or a value that is neither a tensor, a plain
    constant, nor a structure of such.
    """
    leaves: list[tuple[str, Any]] = []
    if not is_tensor(item) and isinstance(item, Mapping):
        kwargs = [[str(key), _template(value, (str(key),), is_tensor, leaves)] for key, value in item.items()]
        call: Template = {"args": [], "kwargs": kwargs}
    else:
        positions = [item] if is_tensor(item) or not _is_sequence(item) else list(item)
        args = [_template(value, ("input", str(index)), is_tensor, leaves) for index, value in enumerate(positions)]
        call = {"args": args, "kwargs": []}
    if not leaves:
        raise DataloaderError(
            f"An item of the dataloader holds no tensor: it is a {type(item).__name__}.",
            hint="Yield a tensor, a tuple of tensors, or a dict from input name to tensor.",
        )
    if (twice := _repeated_name(leaves)) is not None:
        raise DataloaderError(
            f"Two tensors of an item of the dataloader come out under one name, {twice!r}.",
            hint="Rename a key of the item; the name of a nested tensor is its path, joined by '__'.",
        )
    return call, leaves


def _repeated_name(leaves: Sequence[tuple[str, Any]]) -> str | None:
    seen: set[str] = set()
    for name, _ in leaves:
        if name in seen:
            return name
        seen.add(name)
    return None


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _template(
    value: Any, path: tuple[str, ...], is_tensor: Callable[[Any], bool], leaves: list[tuple[str, Any]]
) -> Any:
    if is_tensor(value):
        name = "__".join(path)
        leaves.append((name, value))
        return {"tensor": name}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, _CONSTANTS):
                raise DataloaderError(
                    f"The dataloader's mapping at {'__'.join(path)!r} has a key of type {type(key).__name__}.",
                    hint="Use text or numbers as keys.",
                )
        return {"dict": [[key, _template(part, (*path, str(key)), is_tensor, leaves)] for key, part in value.items()]}
    if _is_sequence(value):
        kind = "list" if isinstance(value, list) else "tuple"
        parts = [_template(part, (*path, str(index)), is_tensor, leaves) for index, part in enumerate(value)]
        return {kind: parts}
    if isinstance(value, _CONSTANTS):
        return {"constant": value}
    raise DataloaderError(
        f"The dataloader's value at {'__'.join(path)!r} is a {type(value).__name__}, neither a tensor nor a constant.",
        hint="Convert it to a tensor or an array in the dataloader.",
    )


def rename_tensors(call: Template, names: Mapping[str, str]) -> Template:
    """The same call template with its tensors renamed; those that ``names`` (old → new) leaves out keep their names."""

    def walk(node: Any) -> Any:
        kind, content = next(iter(node.items()))
        if kind == "tensor":
            return {"tensor": names.get(content, content)}
        if kind == "constant":
            return node
        if kind == "dict":
            return {"dict": [[key, walk(part)] for key, part in content]}
        return {kind: [walk(part) for part in content]}

    return {
        "args": [walk(node) for node in call["args"]],
        "kwargs": [[key, walk(node)] for key, node in call["kwargs"]],
    }


def fill_call(call: Template, tensors: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of the call, with ``tensors`` in their places; arrays, or any framework's.

    Raises :class:`KeyError` for a tensor of the call that is not among them.
    """
    args = [_fill(node, tensors) for node in call["args"]]
    kwargs = {key: _fill(node, tensors) for key, node in call["kwargs"]}
    return args, kwargs


def _fill(node: Any, tensors: Mapping[str, Any]) -> Any:
    kind, content = next(iter(node.items()))
    if kind == "tensor":
        return tensors[content]
    if kind == "constant":
        return content
    if kind == "dict":
        return {key: _fill(part, tensors) for key, part in content}
    parts = [_fill(part, tensors) for part in content]
    return tuple(parts) if kind == "tuple" else parts


def flatten_result(result: Any, is_tensor: Callable[[Any], bool]) -> list[tuple[str, Any]]:
    """The tensors of a model's result in a fixed order, each with its name; ``None`` and constants are left out.

    Raises :class:`SourceError` when two of them would have the same name.
    """
    if is_tensor(result):
        return [("output__0", result)]
    root = () if isinstance(result, Mapping) else ("output",)
    leaves = list(_result_leaves(result, root, is_tensor))
    if (twice := _repeated_name(leaves)) is not None:
        raise SourceError(
            f"Two tensors of the model's result come out under one name, {twice!r}.",
            hint="Rename a key of the result; the name of a nested tensor is its path, joined by '__'.",
        )
    return leaves


def _result_leaves(value: Any, path: tuple[str, ...], is_tensor: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    if is_tensor(value):
        yield "__".join(path), value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _result_leaves(part, (*path, str(key)), is_tensor)
    elif _is_sequence(value):
        for index, part in enumerate(value):
            yield from _result_leaves(part, (*path, str(index)), is_tensor)
