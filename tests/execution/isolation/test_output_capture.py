"""A capped log keeps the beginning and the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st

from navcore.execution.isolation.output_capture import CappedLog


def _log(path: Path, chunks: list[bytes], limit: int) -> bytes:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with CappedLog(path, limit) as log:
        assert log.take(reader) is None
        for chunk in chunks:
            os.write(writer, chunk)
            assert log.take(reader) == len(chunk)
        os.close(writer)
        assert log.take(reader) == 0
    os.close(reader)
    return path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=12), limit=st.integers(1, 100))
def test_the_beginning_and_the_end_are_kept_and_the_rest_is_counted(
    tmp_path: Path, chunks: list[bytes], limit: int
) -> None:
    output = b"".join(chunks)
    log = _log(tmp_path / "log", chunks, limit)

    if len(output) <= limit:
        assert log == output
    else:
        tail = limit // 4
        head = limit - tail
        note = f"\n[... {len(output) - limit} bytes of output dropped here ...]\n".encode()
        assert log == output[:head] + note + output[len(output) - tail :]


def test_the_beginning_is_on_disk_at_once(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"alive")
    with CappedLog(tmp_path / "log", 100) as log:
        log.take(reader)
        assert (tmp_path / "log").read_bytes() == b"alive"
    os.close(reader)
    os.close(writer)


def test_work_in_this_process_is_captured_and_what_it_leaves_behind_speaks_again(tmp_path: Path) -> None:
    script = """
import logging, os, sys
from pathlib import Path
from navcore.execution.isolation import captured_output

with captured_output(Path(sys.argv[1])):
    print("inside, by Python")
    os.write(1, b"inside, past Python\\n")
    logging.basicConfig()  # a handler that keeps the stream of the moment
    logging.warning("inside, logged")
logging.warning("outside, logged")
print("outside")
"""
    log = tmp_path / "captured.log"
    done = subprocess.run([sys.executable, "-c", script, str(log)], capture_output=True, text=True, check=True)

    assert log.read_text().splitlines() == ["inside, by Python", "inside, past Python", "WARNING:root:inside, logged"]
    assert done.stdout == "outside\n"
    assert done.stderr == "WARNING:root:outside, logged\n"
