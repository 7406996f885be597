"""Find equal regions in the files to be packed, so that each is stored once: the plan of a compact package."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import attrs

from navcore.package.archive.manifest import Part
from navcore.package.archive.origin import Origin, digest, peek

SMALLEST = 4096  # bytes; a smaller region is not worth its line in the manifest
_MOST = 10_000  # regions that are stored elsewhere: their lines in the manifest stay far below its limit


@attrs.frozen
class _Region:
    """Bytes of one file, by the number of the file in the order of the package."""

    file: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


def shared_parts(origins: Sequence[Origin]) -> dict[str, tuple[Part, ...]]:
    """For each file that has a region in common with one before it, or with itself: what it is put together of.

    What the regions say is no more than where to look: the bytes are compared, and a region that overlaps one before it
    or lies beyond the end of its file is passed over. The same files and regions give the same parts.
    """
    found = [region for number, origin in enumerate(origins) for region in _disjoint(number, origin)]
    first = _first_of_each(_agreeing_fully(origins, found))
    elsewhere = sorted(first, key=lambda region: (-region.size, region.file, region.offset))[:_MOST]
    kept = {region: first[region] for region in elsewhere}
    by_file: dict[int, list[_Region]] = {}
    for region in sorted(kept, key=lambda region: (region.file, region.offset)):
        by_file.setdefault(region.file, []).append(region)
    gone = {number: _gone_before(by_file.get(number, ())) for number in range(len(origins))}
    return {
        origins[number].name: tuple(_parts(origins, number, by_file[number], kept, gone)) for number in sorted(by_file)
    }


def _disjoint(number: int, origin: Origin) -> list[_Region]:
    regions: list[_Region] = []
    end = 0
    for offset, size in sorted(set(origin.regions)):
        if size >= SMALLEST and offset >= end and offset + size <= origin.size:
            regions.append(_Region(number, offset, size))
            end = offset + size
    return regions


def _agreeing_fully(origins: Sequence[Origin], found: Sequence[_Region]) -> list[tuple[_Region, Hashable]]:
    """The regions that have a twin, each with its digest. Only those that agree so far are read further."""
    suspects = _agreeing(found, [region.size for region in found])
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda one: (one.size, peek(origins[one.file], one.offset, one.size)), suspects))
        suspects = _agreeing(suspects, ends)
        digests = list(pool.map(lambda one: digest(origins[one.file], one.offset, one.size), suspects))
    return list(zip(suspects, digests, strict=True))


def _agreeing(regions: Sequence[_Region], keys: Sequence[Hashable]) -> list[_Region]:
    counts = Counter(keys)
    return [region for region, key in zip(regions, keys, strict=True) if counts[key] > 1]


def _first_of_each(told: Sequence[tuple[_Region, Hashable]]) -> dict[_Region, _Region]:
    """For each region whose bytes an earlier one has: that one, which keeps its bytes."""
    first: dict[Hashable, _Region] = {}
    return {region: known for region, key in told if (known := first.setdefault(key, region)) != region}


def _gone_before(elsewhere: Sequence[_Region]) -> Callable[[int], int]:
    """How many bytes before an offset of a file its member does not hold; the regions are in order."""
    starts = [region.offset for region in elsewhere]
    sums = [0, *itertools.accumulate(region.size for region in elsewhere)]
    return lambda offset: sums[bisect.bisect_left(starts, offset)]


def _parts(
    origins: Sequence[Origin],
    number: int,
    elsewhere: Sequence[_Region],
    kept: Mapping[_Region, _Region],
    gone: Mapping[int, Callable[[int], int]],
) -> list[Part]:
    parts: list[Part] = []
    position = 0
    for region in elsewhere:
        if region.offset > position:
            parts.append(Part(region.offset - position))
        source = kept[region]
        parts.append(Part(region.size, origins[source.file].name, source.offset - gone[source.file](source.offset)))
        position = region.end
    if position < origins[number].size:
        parts.append(Part(origins[number].size - position))
    return parts
