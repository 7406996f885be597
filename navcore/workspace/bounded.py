"""How much of what a plugin tells is kept: status.yaml is read by people, and has a largest size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MOST_NOTES = 50
LONGEST_NOTE = 1000
MOST_FACTS = 100


def bounded_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """The first notes, each cut to a length; a closing sentence says how many more there were."""
    given = list(notes)
    kept = tuple(bounded_text(note) for note in given[:MOST_NOTES])
    left_out = len(given) - len(kept)
    return (*kept, f"{left_out} more notes were left out.") if left_out else kept


def bounded_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """The first facts, names and values cut to a length; a closing one says how many more there were."""
    kept = {bounded_text(name): bounded_text(value) for name, value in list(facts.items())[:MOST_FACTS]}
    left_out = len(facts) - MOST_FACTS
    return {**kept, "left out": f"{left_out} more facts"} if left_out > 0 else kept


def bounded_text(text: str) -> str:
    """The beginning of a text that is too long, and how long it was."""
    if len(text) <= LONGEST_NOTE:
        return text
    return f"{text[:LONGEST_NOTE]} … ({len(text)} characters)"
