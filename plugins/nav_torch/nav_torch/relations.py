"""Axes whose size follows from another's: ``4*time``, ``time + 1``, ``2*frames - 3``, or the sum ``cache + tokens``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from navcore import Signature

if TYPE_CHECKING:
    import torch

_SPELLING = re.compile(r"(?:(?P<factor>[1-9]\d*)\s*\*\s*)?(?P<root>[^\W\d]\w*)(?:\s*(?P<sign>[+-])\s*(?P<offset>\d+))?")


@attrs.frozen
class Relation:
    """A size that is ``factor`` · the size of ``root`` + ``offset``."""

    root: str
    factor: int = 1
    offset: int = 0

    @property
    def plain(self) -> bool:
        """Whether it is the root itself."""
        return (self.factor, self.offset) == (1, 0)

    def size(self, root: int) -> int:
        """The size where the root's is ``root``; negative where the root is too small for it."""
        return self.factor * root + self.offset

    def root_size(self, size: int) -> int | None:
        """The root's size where this one is ``size``; ``None`` where no size of the root gives it."""
        root, rest = divmod(size - self.offset, self.factor)
        return root if rest == 0 and root >= 0 else None


def relation_of(symbol: str) -> Relation:
    """What an axis symbol says; one that is spelled in any other way stands for itself."""
    found = _SPELLING.fullmatch(symbol)
    if found is None:
        return Relation(symbol)
    offset = int(found["offset"] or 0)
    return Relation(found["root"], int(found["factor"] or 1), -offset if found["sign"] == "-" else offset)


def spelled(relation: Relation) -> str:
    """The symbol of a relation, as ``torch.export`` names its derived dimensions."""
    scaled = relation.root if relation.factor == 1 else f"{relation.factor}*{relation.root}"
    if relation.offset == 0:
        return scaled
    return f"{scaled} {'-' if relation.offset < 0 else '+'} {abs(relation.offset)}"


def related(symbols: Iterable[str]) -> dict[str, Relation]:
    """Those of the symbols that follow from another's size."""
    return {symbol: rule for symbol in symbols if not (rule := relation_of(symbol)).plain}


def sums(symbols: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Those of the symbols that are sums of others of them, ``cache + tokens``, each with what it is a sum of."""
    known = tuple(symbols)
    split = {symbol: tuple(symbol.split(" + ")) for symbol in known}
    return {symbol: parts for symbol, parts in split.items() if len(parts) > 1 and set(parts) <= set(known)}


def hold_relations(signature: Signature, tensors: Sequence[torch.Tensor]) -> None:
    """Tell a capture that is going on how the sizes of related axes follow from each other, and which are sums.

    Where no input has the root as an axis, what is left of the rule is that the size has to be one of it.
    """
    import torch

    places = {
        symbol: (number, index)
        for number, spec in enumerate(signature.inputs)
        for index, symbol in enumerate(spec.shape)
        if isinstance(symbol, str)
    }
    seen: dict[str, Any] = {}
    for symbol in places:
        if relation_of(symbol).plain:
            seen[symbol] = tensors[places[symbol][0]].shape[places[symbol][1]]
    for symbol, rule in related(places).items():
        number, index = places[symbol]
        size: Any = tensors[number].shape[index]
        if rule.root not in seen:
            torch._check((size - rule.offset) % rule.factor == 0)  # type: ignore[no-untyped-call]
            seen[rule.root] = (size - rule.offset) // rule.factor
        else:
            torch._check(size == rule.factor * seen[rule.root] + rule.offset)  # type: ignore[no-untyped-call]
    for symbol, parts in sums(places).items():
        total, *sizes = (tensors[places[one][0]].shape[places[one][1]] for one in (symbol, *parts))
        torch._check(total == sum(sizes))  # type: ignore[no-untyped-call]


def related_dims(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The same ``torch.export.Dim`` s by symbol, those of related axes derived from the ``Dim`` of their root.

    A root gets the sizes at which it and everything that follows from it is allowed.
    """
    import torch

    rules = related(dims)
    roots: dict[str, Any] = {}
    for root in dict.fromkeys(rule.root for rule in rules.values()):
        family = [symbol for symbol in dims if relation_of(symbol).root == root]
        low, high = 0, None
        for symbol in family:
            rule, dim = relation_of(symbol), dims[symbol]
            low = max(low, -((rule.offset - dim.min) // rule.factor))
            if isinstance(dim.max, int):
                most = (dim.max - rule.offset) // rule.factor
                high = most if high is None else min(high, most)
        roots[root] = torch.export.Dim(root, min=low, max=high)
    return {symbol: _derived(rules[symbol], roots) if symbol in rules else roots.get(symbol, dim)
            for symbol, dim in dims.items()}  # fmt: skip


def _derived(rule: Relation, roots: Mapping[str, Any]) -> Any:
    dim = roots[rule.root]
    scaled = dim if rule.factor == 1 else rule.factor * dim
    return scaled + rule.offset if rule.offset > 0 else scaled - -rule.offset if rule.offset else scaled
