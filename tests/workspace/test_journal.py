"""The journal: one line per event, found again by kind and key, whatever a kill left of its end."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navcore.workspace.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def test_the_last_word_counts(journal: Journal) -> None:
    assert journal.find("made", "a") is None
    journal.append("made", "a", {"size": 1})
    journal.append("made", "b", {"size": 2})
    journal.append("made", "a", {"size": 3})
    journal.append("verified", "a", {"size": 4})
    assert journal.find("made", "a") == {"size": 3}
    assert journal.find("made", "b") == {"size": 2}
    assert journal.find("measured", "a") is None


def test_a_torn_last_line_is_passed_over_and_the_next_one_is_whole(journal: Journal) -> None:
    journal.append("made", "a", {"size": 1})
    journal.append("made", "b", {"size": 2})
    whole = journal.path.read_bytes()
    for kept in range(len(whole.splitlines(keepends=True)[0]), len(whole)):
        journal.path.write_bytes(whole[:kept])
        expected = {"size": 2} if kept == len(whole) - 1 else None  # only the line's end is missing
        assert journal.find("made", "b") == expected
        journal.append("made", "c", {"size": 3})
        assert journal.find("made", "a") == {"size": 1}
        assert journal.find("made", "c") == {"size": 3}


def test_a_line_that_was_changed_is_passed_over(journal: Journal) -> None:
    journal.append("made", "a", {"size": 1})
    journal.append("made", "b", {"size": 2})
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"size":1', b'"size":7'))
    assert [entry["key"] for entry in journal.entries()] == ["b"]


def test_threads_do_not_mix_their_lines(journal: Journal) -> None:
    big = "x" * 100_000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.append("made", str(number), {"text": big}), range(40)))
    assert sorted(int(entry["key"]) for entry in journal.entries()) == list(range(40))


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.text(), st.dictionaries(st.text(), _PLAIN))
def test_what_is_recorded_is_found(tmp_path_factory: Any, event: str, key: str, data: dict[str, Any]) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    journal.append(event, key, data)
    journal.append("other", "event", {})
    assert journal.find(event, key) == json.loads(json.dumps(data)) or (event, key) == ("other", "event")
