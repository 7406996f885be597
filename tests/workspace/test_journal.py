"""The journal: one line per event, found again by kind and key, whatever a kill left of its end."""

from __future__ import annotations

import hashlib
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
        after = Journal(journal.path)
        assert after.find("made", "b") == expected
        after.append("made", "c", {"size": 3})
        for reader in (after, Journal(journal.path)):
            assert reader.find("made", "a") == {"size": 1}
            assert reader.find("made", "c") == {"size": 3}


def test_a_line_that_was_changed_is_passed_over(journal: Journal) -> None:
    journal.append("made", "a", {"size": 1})
    journal.append("made", "b", {"size": 2})
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"size":1', b'"size":7'))
    assert [entry["key"] for entry in journal.entries()] == ["b"]


def test_the_file_is_read_once_and_what_is_appended_is_found(journal: Journal, monkeypatch: Any) -> None:
    reads: list[Path] = []
    read = Path.read_bytes

    def noted(path: Path) -> bytes:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    journal.append("made", "a", {"size": 1})
    for number in range(5):
        assert journal.find("made", "a") == {"size": 1}
        journal.append("made", str(number), {"shape": (number, 2)})
        assert journal.find("made", str(number)) == {"shape": [number, 2]}  # as the next run reads it
    assert reads == [journal.path]


def test_a_journal_of_an_earlier_version_is_understood(journal: Journal) -> None:
    body = '{"data":{"product":"9f"},"event":"placing","key":"toy-alpha"}'
    journal.path.write_text(f"10b2f0c1d1a1f3b5 {body}\n{hashlib.sha256(body.encode()).hexdigest()[:16]} {body}\n")
    assert journal.find("placing", "toy-alpha") == {"product": "9f"}
    assert len(list(journal.entries())) == 1


def test_threads_do_not_mix_their_lines(journal: Journal) -> None:
    big = "x" * 100_000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.append("made", str(number), {"text": big}), range(40)))
    assert sorted(int(entry["key"]) for entry in journal.entries()) == list(range(40))
    assert all(journal.find("made", str(number)) == {"text": big} for number in range(40))


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
    for reader in (journal, Journal(journal.path)):
        assert reader.find(event, key) == json.loads(json.dumps(data)) or (event, key) == ("other", "event")
