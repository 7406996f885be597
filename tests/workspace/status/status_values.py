"""Records as hypothesis draws them: every field of every value, as far as it can occur."""

from __future__ import annotations

import math
from typing import Any

import attrs
from hypothesis import strategies as st

from navcore.contract.effort import Effort
from navcore.contract.formats import Format, JitType
from navcore.contract.profiler_config import MeasurementMode, ProfilerConfig
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.workspace.callers import ConcurrentThroughput
from navcore.workspace.metrics import MetricResult
from navcore.workspace.ranking import PairedRatio, Ranking
from navcore.workspace.results import (
    Attempt,
    BatchPerformance,
    Difference,
    Failure,
    FormatResult,
    Outcome,
    RuntimeResult,
    Status,
    Verification,
)
from navcore.workspace.samples import Samples
from navcore.workspace.settings import Settings
from navcore.workspace.status.record import Record

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,10}", fullmatch=True)
files = st.from_regex(r"[a-z0-9][a-z0-9 ]{0,9}[a-z0-9]\.?[a-z0-9']*", fullmatch=True)
words = st.from_regex(r"[A-Za-z0-9é_][A-Za-z0-9é:+'._-]{0,10}", fullmatch=True)
"""What a format, a runtime, an option may be called."""
tensor_names = st.from_regex(r"/?[a-z0-9 :é][a-z0-9 :é_]{0,8}(/[a-z0-9_]{1,4})?", fullmatch=True)
dtypes = st.sampled_from(["float32", "int64", "bool", "bfloat16", "datetime64[ns]"])
paths = st.lists(files, min_size=1, max_size=3).map("/".join)
counts = st.integers(0, 2**60)
measures = st.floats(allow_nan=False)
finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(0, exclude_min=True, allow_infinity=False)
notes = st.lists(text, max_size=2).map(tuple)
constants = st.none() | st.booleans() | st.integers() | measures | text
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | text,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(text, values, max_size=3),
    max_leaves=5,
)


def complete(kind: type, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of ``kind`` with every field drawn that is kept; a field that a new version adds must be given here."""
    known = set(Format("x").description()) if kind is Format else {field.name for field in attrs.fields(kind)}
    assert known == set(fields), f"{kind.__name__}: {known ^ set(fields)}"
    return st.builds(kind, **fields)


formats = complete(
    Format,
    name=names,
    family=words,
    filename=files,
    jit_type=st.none() | st.sampled_from(JitType),
    precision=st.none() | words,
    data_only=st.booleans(),
    suffixes=notes,
)
sizes = st.lists(counts, min_size=3, max_size=3).map(sorted).map(tuple)
axes = st.builds(
    lambda symbol, size, declared: Axis(symbol, size[0], size[1], size[2], declared), tensor_names, sizes, st.booleans()
)
tensors = complete(
    TensorSpec, name=tensor_names, dtype=dtypes, shape=st.lists(counts | tensor_names, max_size=3).map(tuple)
)  # fmt: skip


def templates_of(inputs: list[str]) -> st.SearchStrategy[Any]:
    taken = [st.builds(lambda name: {"tensor": name}, st.sampled_from(inputs))] if inputs else []
    return st.recursive(
        st.one_of(*taken, st.builds(lambda value: {"constant": value}, constants)),
        lambda inner: (
            st.builds(lambda kind, parts: {kind: parts}, st.sampled_from(["tuple", "list"]), st.lists(inner))
            | st.builds(lambda pairs: {"dict": [list(pair) for pair in pairs]}, st.lists(st.tuples(text, inner)))
        ),
        max_leaves=4,
    )


def calls_of(inputs: list[str]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda args, kwargs: {"args": args, "kwargs": [list(pair) for pair in kwargs]},
        st.lists(templates_of(inputs), max_size=2),
        st.lists(st.tuples(text, templates_of(inputs)), max_size=2),
    )


several_tensors = st.lists(tensors, max_size=2, unique_by=lambda spec: spec.name).map(tuple)
signatures = several_tensors.flatmap(
    lambda inputs: complete(
        Signature,
        inputs=st.just(inputs),
        outputs=several_tensors,
        axes=st.lists(axes, max_size=2).map(tuple),
        call=calls_of([spec.name for spec in inputs]),
        batch_dim=st.none() | st.integers(-3, 3),
        batch_symbol=tensor_names,
    )
)
failures = complete(Failure, cause=text, category=text, frame=text, hint=text)
outcomes = complete(
    Outcome,
    status=st.sampled_from(Status),
    seconds=finite,
    peak_memory=st.none() | counts,
    log=st.just("") | paths,
    failure=st.none() | failures,
    contained=st.booleans(),
)
attempts = complete(Attempt, route=text, outcome=outcomes, owner=text, version=text)
differences = complete(
    Difference,
    output=text,
    atol=measures,
    rtol=measures,
    relative_l2=st.none() | measures,
    cosine=st.none() | measures,
    elements=counts,
    differing=measures,
    worst=text,
)
verifications = complete(
    Verification,
    status=st.sampled_from(Status),
    differences=st.lists(differences, max_size=2).map(tuple),
    compared=counts,
    precision=text,
    bound=st.none() | measures,
    frozen_axes=notes,
    only_numbers=st.booleans(),
    notes=notes,
    failure=st.none() | failures,
)
performances = complete(
    BatchPerformance,
    batch_size=st.integers(-1, 4096),
    avg_latency=measures,
    std_latency=measures,
    p50_latency=measures,
    p90_latency=st.none() | measures,
    p95_latency=st.none() | measures,
    p99_latency=st.none() | measures,
    throughput=measures,
    request_count=counts,
    stable=st.booleans(),
    windows=counts,
    cold_start=st.none() | measures,
    cpu_share=st.none() | measures,
    switches=st.none() | measures,
    interval=st.none() | st.tuples(measures, measures),
    notes=notes,
)
ratios = complete(
    PairedRatio, format=names, runtime=words, batch_size=st.integers(-1, 4096), ratio=measures, low=measures,
    high=measures, pairs=counts,
)  # fmt: skip
rankings = complete(
    Ranking, reference=st.tuples(names, words), is_source=st.booleans(),
    ratios=st.lists(ratios, max_size=2).map(tuple), seed=counts, block_seconds=measures, budget=measures,
    seconds=measures, settled=st.booleans(), machine=text, notes=notes,
)  # fmt: skip
metrics = complete(
    MetricResult,
    metric=st.sampled_from(["accuracy", "top-1 accuracy", "Wörter"]),
    value=measures,
    items=counts,
    difference=st.none() | measures,
    bound=st.none() | measures,
    data=text,
)
concurrent = complete(
    ConcurrentThroughput, callers=st.integers(2, 256), sessions=st.integers(1, 256),
    batch_size=st.integers(-1, 4096), throughput=measures, low=measures, high=measures, p50_latency=measures,
    p95_latency=st.none() | measures, calls=counts, seconds=measures,
)  # fmt: skip
runtimes = complete(
    RuntimeResult,
    runtime=words,
    status=st.sampled_from(Status),
    route=text,
    verification=st.none() | verifications,
    performance=st.lists(performances, max_size=2).map(tuple),
    verified=st.booleans(),
    provider=text,
    precision=st.none() | text,
    threads=st.none() | counts,
    notes=notes,
    outcome=st.none() | outcomes,
    profiling=st.none() | outcomes,
    machine=text,
    metrics=st.lists(metrics, max_size=2).map(tuple),
    elsewhere=st.booleans(),
    concurrent=st.lists(concurrent, max_size=2).map(tuple),
    judged_by=notes,
)
facts = st.dictionaries(text, text, max_size=2)
assets = st.lists(st.from_regex(r"[a-z]{4,6}(/[a-z]{4}\.json)?", fullmatch=True), max_size=2, unique=True).map(tuple)


def rows_at(path: st.SearchStrategy[str | None]) -> st.SearchStrategy[FormatResult]:
    """Rows whose ``path`` is the one given, in the folder of the format."""
    return formats.flatmap(
        lambda format: _rows_of(format, path.map(lambda inner: None if inner is None else f"{format.name}/{inner}"))
    )


def _rows_of(format: Format, path: st.SearchStrategy[str | None]) -> st.SearchStrategy[FormatResult]:
    return complete(
        FormatResult,
        format=st.just(format),
        status=st.sampled_from(Status),
        path=path,
        route=text,
        made_from=text,
        requested=st.booleans(),
        live=st.booleans(),
        calling=st.sampled_from(["named", "positional", "structure"]),
        signature=st.none() | signatures,
        attempts=st.lists(attempts, max_size=2).map(tuple),
        runtimes=st.lists(runtimes, max_size=2, unique_by=lambda row: row.runtime).map(tuple),
        notes=notes,
        facts=facts,
        assets=assets,
        size=st.none() | counts,
        failure=st.none() | failures,
        elsewhere=st.booleans(),
    )


rows = rows_at(st.none() | paths)
stored_rows = rows_at(paths)
profiler_configs = st.builds(
    ProfilerConfig,
    batch_sizes=st.none() | st.lists(st.integers(1, 99), min_size=1),
    measurement_mode=st.sampled_from(MeasurementMode),
    measurement_interval=positive,
    measurement_request_count=st.integers(1, 99),
    stability_percentage=positive,
    max_trials=st.integers(1, 99),
)
numbers = st.integers(-4, 4)
several_words = st.lists(words, max_size=2).map(tuple)
several_names = st.lists(tensor_names, max_size=2).map(tuple)
options = words | st.builds("{}/{}".format, words, words)
settings = complete(
    Settings,
    model_name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_+-]{0,20}", fullmatch=True),
    targets=st.none() | several_words,
    effort=st.sampled_from(Effort),
    options=st.dictionaries(
        options, st.dictionaries(words, plain | st.just(math.inf) | st.just(-math.inf), max_size=2)
    ),
    sample_count=st.integers(1, 999),
    atol=st.none() | measures,
    rtol=st.none() | measures,
    input_names=st.none() | several_names,
    output_names=st.none() | several_names,
    dynamic_axes=st.none() | st.dictionaries(tensor_names, st.lists(numbers) | st.dictionaries(numbers, tensor_names)),
    axis_ranges=st.none() | st.dictionaries(tensor_names, sizes | st.dictionaries(numbers, sizes)),
    batch_dim=st.none() | numbers,
    device=st.none() | words,
    runtimes=st.dictionaries(words, several_words, max_size=2),
    run_profiling=st.booleans(),
    profiler_config=st.none() | profiler_configs,
    batch_sizes=st.none() | st.just("auto") | st.lists(st.integers(1, 99), min_size=1, unique=True).map(tuple),
    ranking=st.booleans(),
    budget=st.floats(0, 1e9, exclude_min=True),
    threads=st.just("auto") | st.integers(1, 4096),
    callers=st.none() | st.integers(2, 256),
    profiler=words,
    prefer=st.dictionaries(words, words, max_size=2),
    timeout=st.none() | finite,
    memory_limit=st.none() | counts,
    git_info=st.booleans(),
)
samples = complete(
    Samples,
    signature=signatures,
    counts=st.dictionaries(text, counts, max_size=3),
    batch_size=counts,
    noise=st.dictionaries(text, measures, max_size=2),
    rows_independent=st.none() | st.booleans(),
    notes=notes,
    digest=text,
    runs=counts,
    stateful=st.booleans(),
    usual_batch=st.none() | counts,
)
records = complete(
    Record,
    uuid=st.uuids().map(str),
    timestamp=st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds")),
    settings=settings,
    source=formats,
    source_key=text,
    live=st.booleans(),
    samples=st.none() | samples,
    results=st.lists(rows, max_size=2, unique_by=lambda row: row.format.name).map(tuple),
    environment=st.dictionaries(text, plain, max_size=3),
    git_info=st.fixed_dictionaries(
        {"repository": st.none() | text, "commit": st.none() | text, "author": st.none(), "email": st.none()}
    ),
    navcore_version=text,
    ranking=st.none() | rankings,
)


def everything(value: Any) -> Any:
    """The value as nested dictionaries, for comparing: formats are equal by name alone."""
    if isinstance(value, Format):
        return value.description()
    if attrs.has(type(value)):
        return {field.name: everything(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, tuple):
        return tuple(everything(part) for part in value)
    return value


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside plain data."""
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, part in steps for place in places(part, (*path, key)))][not path :]


def with_value(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Plain data with another value at one place."""
    if not path:
        return value
    changed = with_value(data[path[0]], path[1:], value)
    if isinstance(data, dict):
        return {**data, path[0]: changed}
    return [changed if index == path[0] else part for index, part in enumerate(data)]
