"""Copy a range of bytes while taking its SHA-256 and CRC-32 in threads beside it."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import attrs

from navcore.package.archive.refusals import Refusal, refusal

_CHUNK = 1 << 20  # fits in a core's second-level cache, so that three readers of it cost one trip to memory
_BUFFERS = 4


@attrs.frozen
class Sums:
    """The SHA-256 (lower-case hex) and the CRC-32 of what was copied."""

    sha256: str
    crc32: int


class _RunningSums:
    """The two sums of a stream, each to be fed in order by one thread."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._crc32 = 0

    def feed_sha256(self, data: memoryview) -> None:
        self._sha256.update(data)

    def feed_crc32(self, data: memoryview) -> None:
        self._crc32 = zlib.crc32(data, self._crc32)

    def finish(self) -> Sums:
        return Sums(self._sha256.hexdigest(), self._crc32)


@attrs.frozen
class Span:
    """A range of bytes of the source. One that is not ``own`` counts for the SHA-256 and not for the CRC-32."""

    offset: int
    size: int
    own: bool = True


def copy_and_digest(source: int, source_offset: int, size: int, sink: int | None, sink_offset: int = 0) -> Sums:
    """Copy exactly ``size`` bytes from one descriptor to another (``None``: only check) and return their sums.

    SHA-256, CRC-32 and writing each have a core to themselves: Python lets go of its lock in all three.
    Raises ``PackageError`` if ``source`` ends early or cannot be read, ``OSError`` if ``sink`` cannot be written.
    """
    return copy_spans(source, [Span(source_offset, size)], sink, sink_offset)


def copy_spans(
    source: int, spans: Sequence[Span], sink: int | None, sink_offset: int = 0, *, own_only: bool = False
) -> Sums:
    """Copy ranges of bytes one behind the other, as :func:`copy_and_digest` does one range, and return their sums.

    With ``own_only`` the ranges that are not their own count for the SHA-256 alone and are not written.
    """
    sums = _RunningSums()
    if sum(span.size for span in spans) <= _CHUNK:
        for span in spans:
            data = memoryview(read_exactly(source, span.offset, span.size))
            sums.feed_sha256(data)
            if span.own:
                sums.feed_crc32(data)
            if sink is not None and (span.own or not own_only):
                write_fully(sink, data, sink_offset)
                sink_offset += span.size
        return sums.finish()
    buffers = [memoryview(bytearray(_CHUNK)) for _ in range(_BUFFERS)]
    busy: deque[list[Future[None]]] = deque()
    with ThreadPoolExecutor(1) as digesting, ThreadPoolExecutor(1) as summing:
        for number, piece in enumerate(_pieces(spans)):
            if len(busy) == _BUFFERS:
                _wait(busy.popleft())
            data = buffers[number % _BUFFERS][: piece.size]
            _read_into(source, data, piece.offset)
            busy.append([digesting.submit(sums.feed_sha256, data)])
            if piece.own:
                busy[-1].append(summing.submit(sums.feed_crc32, data))
            if sink is not None and (piece.own or not own_only):
                write_fully(sink, data, sink_offset)
                sink_offset += piece.size
        for futures in busy:
            _wait(futures)
    return sums.finish()


def _pieces(spans: Sequence[Span]) -> Iterator[Span]:
    for span in spans:
        for done in range(0, span.size, _CHUNK):
            yield Span(span.offset + done, min(_CHUNK, span.size - done), span.own)


def _wait(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()


def read_exactly(source: int, offset: int, size: int) -> bytes:
    """Read ``size`` bytes at ``offset``. Raises ``PackageError`` if there are fewer."""
    data = bytearray(size)
    _read_into(source, memoryview(data), offset)
    return bytes(data)


def _read_into(source: int, data: memoryview, offset: int) -> None:
    filled = 0
    while filled < len(data):
        try:
            count = os.preadv(source, [data[filled:]], offset + filled)
        except OSError as error:
            raise refusal(Refusal.UNREADABLE, f"the file cannot be read ({error.strerror}).") from error
        if not count:
            raise refusal(Refusal.CHANGED, "the file became shorter while it was being read.")
        filled += count


def write_fully(sink: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``, however little the system takes at once. Raises ``OSError``."""
    rest = memoryview(data)
    while rest:
        count = os.pwrite(sink, rest, offset)
        rest = rest[count:]
        offset += count
