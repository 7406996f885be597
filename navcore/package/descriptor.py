"""PackageDescriptor: what a user asks and does after a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from navcore.contract import Format, Name, ProfilerConfig, Runner, RunnerJob
from navcore.errors import OptionError, PackageIncomplete, Unavailable
from navcore.evaluation import Comparison
from navcore.execution import assets_of
from navcore.package.choosing import combination, refuse_never_run, row_meant, with_verified
from navcore.package.input_errors import explaining
from navcore.package.opening import Models
from navcore.package.recorded_results import RecordedResults
from navcore.planning import Asked, Limits, Measuring, Source, harmless_part, settled_for_package
from navcore.registry import Registry
from navcore.workspace import (
    Record,
    Workspace,
    opened,
    read_status,
    told_when_full,
)

if TYPE_CHECKING:
    from polygraphy.backend.base import BaseRunner

    from navcore.execution import ChildCalls
    from navcore.package.metrics import MetricValue
    from navcore.workspace import Metric


class PackageDescriptor(RecordedResults):
    """The results of a run, and the models it made.

    Formats are given as values (``nav.Format.ONNX``), names (``"torchscript-trace"``) or families (``"torchscript"``);
    runtimes as :class:`RuntimeProvider` or text. ``print(package)`` shows the table.
    """

    def __init__(
        self,
        workspace: Workspace,
        record: Record,
        registry: Registry,
        source: Source | None,
        *,
        trust: bool = True,
        asked: Asked | None = None,
    ) -> None:
        super().__init__(workspace, record, registry)
        self._source = source
        self._trust = trust
        self._asked = asked or Asked()

    @property
    def _models(self) -> Models:
        return Models(self._record, self._workspace, self._registry, self._source, self._trust, self._asked)

    def __repr__(self) -> str:
        ok = sum(self.get_formats_status().values())
        return f"<PackageDescriptor {self.model_name}: {ok} of {len(self.get_formats_status())} formats ok>"

    def get_model(self, format: Format | str, jit_type: str | None = None, precision: str | None = None) -> Any:
        """The stored model as its framework's users expect it, or its path where no such object exists (TensorRT).

        With a ``jit_type`` and no ``precision``, of variants that differ in nothing else the first of fp16 and fp32
        that was made (the log names it). Raises :class:`UnknownFormat` when nothing or several variants match,
        :class:`PackageIncomplete` with the row's reason when nothing was made, :class:`TrustRequired` when loading it
        can execute code and the package is not trusted.
        """
        row = row_meant(self.results, format, jit_type, precision)
        if row.live:
            return self._models.live_model()
        path = self._models.file(row)
        known = next((one for one in self._registry.formats if one == row.format), None)
        if known is None:
            raise Unavailable(
                f"No installed plugin knows {row.format.name!r}.", hint=f"Install the one that made it: {row.route}."
            )
        return path if known.load is None else known.load(path)

    def get_assets(
        self, format: Format | str, jit_type: str | None = None, precision: str | None = None
    ) -> dict[str, Path]:
        """Where the further files of the stored model are that its maker declared (a vocabulary, say), by their names.

        Empty for a format without any. Raises :class:`UnknownFormat` when nothing or several variants match,
        :class:`PackageIncomplete` when nothing was made, or when one of the files is gone.
        """
        return dict(assets_of(row_meant(self.results, format, jit_type, precision), self.workspace))

    @contextlib.contextmanager
    def open_runner(
        self,
        format: Format | str,
        jit_type: str | None = None,
        precision: str | None = None,
        runtime: str | None = None,
        *,
        threads: int | None = None,
    ) -> Iterator[Runner]:
        """The small runner, loaded in this process for the time of the block: ``{name: array}`` in and out.

        Without ``runtime`` the fastest ok one. Raises what :meth:`get_model` raises, and :class:`Unavailable`. A call
        that fails for a missing input, or one of another type or shape, raises :class:`InputError` naming it.
        """
        artifact, route = self._models.loadable(format, jit_type, precision, runtime)
        with self._models.open(artifact, route, threads) as runner:
            yield explaining(runner, artifact.signature)

    def runner_job(
        self,
        format: Format | str,
        jit_type: str | None = None,
        precision: str | None = None,
        runtime: str | None = None,
    ) -> RunnerJob[Any]:
        """What :meth:`open_runner` loads, and how, without loading it: for whoever runs the model in another place.

        The model's file with the call that it takes (:class:`Artifact`), the runtime, its options, the device, and the
        threads with which the row was tested. Raises what :meth:`open_runner` raises.
        """
        return self._models.job(format, jit_type, precision, runtime)

    def comparisons(
        self, kind: Literal["conversion", "correctness", "profiling"] = "correctness"
    ) -> Iterator[Comparison]:
        """The samples of one kind, each a batch of one, with what the source returned for it; read one at a time.

        They are what :func:`navcore.verify` takes. Raises :class:`PackageIncomplete` for a package without samples.
        """
        from navcore.sampling import SampleStore

        samples, store = self._record.samples, SampleStore(self._workspace.root)
        if samples is None or not store.exists():
            raise PackageIncomplete("The package holds no samples.", hint="Save it with its data: save_data=True.")
        yield from store.comparisons(samples.signature, (kind,))

    def get_runner(
        self,
        format: Format | str,
        jit_type: str | None = None,
        precision: str | None = None,
        runtime: str | None = None,
    ) -> BaseRunner:
        """A Polygraphy ``BaseRunner`` for the stored model: activate it, ``infer(feed_dict)``, deactivate it.

        It loads on activation. Inputs whose dtype Polygraphy cannot express (bfloat16, float8) work through
        :meth:`open_runner` only. Raises as :meth:`open_runner` does.
        """
        from navcore.package.polygraphy_runner import wrap

        artifact, route = self._models.loadable(format, jit_type, precision, runtime)
        name = f"{artifact.format.name}-{route.runtime}"
        return wrap(name, artifact.signature, lambda: self._models.open(artifact, route, None))

    def get_source_runner(self) -> BaseRunner | None:
        """A Polygraphy runner of the live source model; ``None`` for a loaded package, which has no source."""
        if self._source is None or not self._source.is_live:
            return None
        return self.get_runner(self._source.format)

    def set_verified(
        self,
        format: Format | str,
        runtime: str,
        jit_type: str | None = None,
        precision: str | None = None,
    ) -> None:
        """Record the user's word that this format in this runtime is right; on disk when this returns.

        A row whose numbers failed takes it too: navcore does not know the user's own metric; the status stays. Raises
        :class:`UnknownFormat` listing the known combinations when there is no such row, and with the row's reason
        :class:`PackageIncomplete` when nothing was made, :class:`Unavailable` when it never gave a result there.
        """
        from navcore.workspace import Journal, word_key

        row, one = combination(self.results, format, runtime, jit_type, precision)
        refuse_never_run(row, one)
        self._current()  # a workspace that is gone is not made again
        root = self._workspace.root
        with told_when_full(root), opened(root):
            record = self._current()
            Journal(self._workspace.journal_file).append("said", word_key(record, row.format, one.runtime), {})
            self._keep(with_verified(record, row.format, one.runtime))

    def evaluate(
        self,
        metrics: Mapping[str, Metric] | Metric,
        dataset: Any = None,
        *,
        verified_when: Mapping[str, float] | None = None,
        timeout: float | None = None,
        memory_limit: int | None = None,
    ) -> tuple[MetricValue, ...]:
        """Run the user's metrics on every model that gave a result, each in a child, and on a live source here.

        A metric is a function ``fn(outputs, item)`` that returns a number for one item, whose mean is the value
        (outputs by name, arrays as the model returned them, with their batch axis), or an object with
        ``update(outputs, item)`` and ``compute()`` for the whole pass. ``dataset`` has ``len()`` and items as the
        dataloader's, which may hold more than the inputs, such as a label; without it the metrics see the package's
        correctness samples, each a mapping of the inputs by name. The values stay in the package's rows, in place of
        earlier ones. ``verified_when`` says how far each metric may fall (below 0) or rise (above 0) against the source
        for a row to count as verified. ``timeout`` and ``memory_limit`` are as for :func:`navcore.load`; the former is
        for one call.

        Returns one value per metric, format and runtime; a model that failed has none, and its row says why. Raises
        :class:`InputError` when a metric or an item cannot be used, or no model could be run to the end.
        """
        from navcore.execution import MetricsAsked, tidied
        from navcore.package.metrics import evaluated
        from navcore.workspace import metrics_given, refuse_bounds_without_metric

        given = settled_for_package(verified_when=verified_when, timeout=timeout, memory_limit=memory_limit)
        asked = MetricsAsked(metrics_given("metrics", metrics), dataset, given["verified_when"] or {})
        refuse_bounds_without_metric(asked.metrics, asked.bounds)
        self._current()
        root = self._workspace.root
        with told_when_full(root), opened(root), tidied(self._workspace):
            here = self._models.obeyed(Measuring(), Limits(given["timeout"], given["memory_limit"]))
            record, values = evaluated(
                self._workspace, self._current(), self._registry, self._source, here, asked, trust=self._trust
            )
            self._keep(record)
        return values

    def feeds_of(self, item: Any, index: int = 0) -> dict[str, Any]:
        """The arrays of an item of a dataloader under the names of the inputs; it may hold more than those.

        Raises :class:`InputError`.
        """
        from navcore.sampling import feeds_of

        if self._record.samples is None:
            raise PackageIncomplete("The package does not say how its models are called.")
        return feeds_of(item, index, self._record.samples.signature.input_names, self._registry.to_array)

    def samples(self) -> Iterable[Mapping[str, Any]]:
        """The inputs of the correctness and the conversion samples: ``{name: array}``, each a batch of one.

        They are read anew whenever the result is iterated. Raises :class:`PackageIncomplete` where there are none.
        """
        from navcore.sampling import SampleStore, StoredInputs

        known = self._record.samples
        if known is None or not SampleStore(self._workspace.root).exists():
            raise PackageIncomplete("The package holds no samples.", hint="Save it with its data, or run again.")
        return StoredInputs(SampleStore(self._workspace.root), known.signature)

    @contextlib.contextmanager
    def child_calls(self, timeout: float | None = None, memory_limit: int | None = None) -> Iterator[ChildCalls]:
        """For plugins: a function that calls ``module:function`` of theirs with JSON data, in a process of its own.

        The process has the limits of a step: those given here, else those recorded in a package that is trusted, else
        those for strangers. The workspace is held for the time of the block. Calls raise :class:`StepError` with what
        the function raised, and :class:`StepCrashed`. The ``folder`` of what is yielded is private to the block.
        """
        from navcore.execution import ChildCalls, StepLimits, tidied
        from navcore.workspace import fresh_folder

        given = settled_for_package(timeout=timeout, memory_limit=memory_limit)
        self._current()
        root = self._workspace.root
        with told_when_full(root), opened(root), tidied(self._workspace):
            here = self._models.obeyed(Measuring(), Limits(given["timeout"], given["memory_limit"]))
            limits = StepLimits(here.settings.timeout, here.settings.memory_limit)
            yield ChildCalls(fresh_folder(self._workspace.unfinished(Name("calls"))), limits)

    def save(
        self,
        path: Path | str,
        keep_workdir: bool = True,
        override: bool = False,
        save_data: bool = True,
        *,
        compact: bool = False,
    ) -> None:
        """See :func:`navcore.save`."""
        from navcore.package.save import pack

        given = settled_for_package(
            path=path, keep_workdir=keep_workdir, override=override, save_data=save_data, compact=compact
        )
        pack(
            self._workspace,
            self._current(),
            given["path"],
            keep=given["keep_workdir"],
            override=given["override"],
            samples=given["save_data"],
            compact_by=self._registry if given["compact"] else None,
        )

    def report(self, path: Path | str, override: bool = False) -> None:
        """Write the results as one page of HTML for people: the answer in one sentence, the table, charts, what failed.

        The page is complete in itself, and loads and runs nothing. Raises :class:`PackageExists` where something is at
        ``path`` already, unless ``override`` says that it may be replaced, :class:`OptionError` for a path that cannot
        be written or lies in the workspace, and :class:`Unavailable` without ``pip install "navcore[report]"``.
        """
        from navcore.package.measurements import reader_of_workspace
        from navcore.package.report import write_page

        given = settled_for_package(path=path, override=override)
        if given["path"].resolve().is_relative_to(self.workspace.resolve()):
            raise OptionError(f"{path} is inside the workspace.", hint="Choose another path.")
        reader = reader_of_workspace(self._workspace)
        write_page(given["path"], self._record, reader, override=given["override"], registry=self._registry)

    def profile(
        self,
        config: ProfilerConfig | None = None,
        *,
        batch_sizes: Iterable[int] | str | None = None,
        ranking: bool = True,
        budget: float = 90.0,
        callers: int | None = None,
        timeout: float | None = None,
        memory_limit: int | None = None,
    ) -> None:
        """See :func:`navcore.profile`. ``timeout`` and ``memory_limit`` are as for :func:`navcore.load`."""
        from navcore.execution import tidied
        from navcore.package.remeasure import reprofile

        given = settled_for_package(
            profiler_config=config, batch_sizes=batch_sizes, ranking=ranking, budget=budget, callers=callers,
            timeout=timeout, memory_limit=memory_limit,
        )  # fmt: skip
        measuring = Measuring(config, given["batch_sizes"], given["ranking"], given["budget"], given["callers"])
        limits = Limits(given["timeout"], given["memory_limit"])
        self._current()
        root = self._workspace.root
        with told_when_full(root), opened(root), tidied(self._workspace):
            self._record = self._current()
            here = self._models.obeyed(measuring, limits)
            record = reprofile(self._workspace, self._record, self._registry, self._source, here, trust=self._trust)
            self._keep(record)

    def _current(self) -> Record:
        """The record as it is on disk: another process may have added to it."""
        if not self._workspace.status_file.exists():
            raise PackageIncomplete(f"The workspace {self.workspace} is gone.", hint="Load the package again.")
        return read_status(self._workspace.status_file)

    def _keep(self, record: Record) -> None:
        from navcore.workspace import publish

        asked = None if self._trust else harmless_part(record.settings, self._registry, self._asked)
        publish(self._workspace, record, asked)
        self._record = record
