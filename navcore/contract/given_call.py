"""Finds the named tensors of a call template in the arguments of a call that somebody makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from navcore.contract.pytree import Template


def read_call(
    call: Template,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    is_tensor: Callable[[Any], bool],
    parameters: Sequence[str] = (),
) -> dict[str, Any]:
    """The tensors of a call by name: the opposite of :func:`fill_call`.

    ``parameters`` are the names of the callable's parameters, in order. With them an argument may be given by position
    where the template has a keyword, and the other way round. Constants have to be what they are in the template, and
    may be left out; an argument that the template does not have has to be ``None``.

    Raises :class:`TypeError`, as a call does, naming the argument that is missing, unknown or of another kind.
    """
    given = dict(kwargs)
    positions = list(args)
    wanted: list[tuple[int | str, Any]] = [*enumerate(call["args"]), *((key, node) for key, node in call["kwargs"])]
    found: dict[str, Any] = {}
    used = set()
    for place, node in wanted:
        index = place if isinstance(place, int) else _index(place, parameters)
        name = place if isinstance(place, str) else (parameters[place] if place < len(parameters) else None)
        told = f"argument {place + 1}" if isinstance(place, int) else f"argument {place!r}"
        if index is not None and index < len(positions):
            if name in given:
                raise TypeError(f"{told} is given twice, by position and by name")
            used.add(index)
            _match(node, positions[index], told, is_tensor, found)
        elif name in given:
            _match(node, given.pop(name), told, is_tensor, found)
        elif "constant" not in node:
            raise TypeError(f"{told} is missing")
    extra = [
        f"argument {index + 1}" for index, value in enumerate(positions) if index not in used and value is not None
    ]
    extra += [f"argument {name!r}" for name, value in given.items() if value is not None]
    if extra:
        raise TypeError(f"{extra[0]} was not there when the model was exported")
    return found


def _index(name: str, parameters: Sequence[str]) -> int | None:
    return parameters.index(name) if name in parameters else None


def _match(node: Any, value: Any, told: str, is_tensor: Callable[[Any], bool], found: dict[str, Any]) -> None:
    kind, content = next(iter(node.items()))
    if kind == "tensor":
        if not is_tensor(value):
            raise TypeError(f"{told} is a {type(value).__name__}, and has to be a tensor")
        found[content] = value
    elif kind == "constant":
        if type(value) is not type(content) or value != content:
            raise TypeError(f"{told} is {value!r}, and was {content!r} when the model was exported")
    elif kind == "dict":
        if not isinstance(value, Mapping) or len(value) != len(content) or any(key not in value for key, _ in content):
            raise TypeError(f"{told} has to be a mapping with {', '.join(str(key) for key, _ in content)}")
        for key, part in content:
            _match(part, value[key], f"{told}[{key!r}]", is_tensor, found)
    else:
        if not isinstance(value, Sequence) or len(value) != len(content):
            raise TypeError(f"{told} has to be a sequence of {len(content)}")
        for number, part in enumerate(content):
            _match(part, value[number], f"{told}[{number}]", is_tensor, found)
