"""What a run recorded, asked by format and runtime: which rows are ok, how fast they are, and which is best."""

from __future__ import annotations

from pathlib import Path

from navcore.contract import Format
from navcore.errors import InputError, PackageIncomplete, UnknownFormat
from navcore.evaluation import Choice, MinLatency, Strategy, candidates_of, is_measured, median_latency
from navcore.package.choosing import combination, refuse_unknown, rows_meant
from navcore.registry import Registry
from navcore.workspace import FormatResult, Ranking, Record, Status, Workspace, framework_word


class RecordedResults:
    """The record of a run and the answers that are in it; no model is opened for them."""

    def __init__(self, workspace: Workspace, record: Record, registry: Registry) -> None:
        self._workspace = workspace
        self._record = record
        self._registry = registry

    @property
    def workspace(self) -> Path:
        """The folder with everything the run left."""
        return self._workspace.root

    @property
    def workdir(self) -> Path:
        """The same folder, under the name that the reference API has for it."""
        return self.workspace

    @property
    def framework(self) -> str:
        """The reference API's word for where the source comes from: a member of :class:`Framework`, as text."""
        return framework_word(self._record.source)

    @property
    def navigator_status(self) -> Record:
        """The same as :attr:`record`, under the name that the reference API has for it."""
        return self._record

    @property
    def model_name(self) -> str:
        """The name that the workspace and the package carry."""
        return self._record.settings.model_name

    @property
    def record(self) -> Record:
        """Everything that status.yaml holds, as one frozen value."""
        return self._record

    @property
    def results(self) -> tuple[FormatResult, ...]:
        """One frozen row per format, the source first, each with a row per runtime."""
        return self._record.results

    @property
    def ranking(self) -> Ranking | None:
        """By how much each row is faster than the source, measured in turn; ``None`` where nothing was."""
        return self._record.ranking

    def __str__(self) -> str:
        from navcore.package.report import clock_of, render_table, terminal_width

        clock = clock_of(self._record.settings.profiler, self._registry)
        return render_table(self.results, self.ranking, width=terminal_width(), clock=clock)

    def get_formats_status(self) -> dict[Format, bool]:
        """For every format: whether it was made and verified in some runtime."""
        return {row.format: row.status == Status.OK for row in self._stored()}

    def get_formats_performance(self) -> dict[Format, float]:
        """For every measured format: the median latency in ms, at the smallest batch, of its fastest runtime."""
        fastest = {
            row.format: [median_latency(one) for one in row.runtimes if is_measured(one)] for row in self._stored()
        }
        return {format: min(latencies) for format, latencies in fastest.items() if latencies}

    def get_status(
        self,
        format: Format | str,
        runtime_provider: str | None = None,
        jit_type: str | None = None,
        precision: str | None = None,
    ) -> bool:
        """Whether some recorded row that matches is ok; an omitted argument matches any.

        A row that exists and is unavailable, or that nothing was made of, is not ok.

        Raises :class:`UnknownFormat` for a name that neither this package nor an installed plugin knows.
        """
        rows = rows_meant(self.results, format, jit_type, precision)
        if not rows:
            refuse_unknown(self.results, format, self._registry)
        if runtime_provider is None:
            return any(row.status == Status.OK for row in rows)
        return any(
            one.status == Status.OK for row in rows for one in row.runtimes if one.runtime == str(runtime_provider)
        )

    def get_verified_status(
        self,
        format: Format | str,
        runtime: str,
        jit_type: str | None = None,
        precision: str | None = None,
    ) -> bool | None:
        """Whether :meth:`set_verified` was said of this row, or it keeps the bounds of ``verified_when``.

        ``None`` when there is no such row, or nothing in it.
        """
        try:
            return combination(self.results, format, runtime, jit_type, precision)[1].is_verified
        except (UnknownFormat, PackageIncomplete):
            return None

    def best(self, strategy: Strategy | None = None) -> Choice | None:
        """The best row by ``strategy``, by default :class:`MinLatency`, among those verified ok and measured here.

        Never one that failed, is unverified, fixes an axis that moves in the data, or was recorded elsewhere; never the
        source itself. One that promises less precision than the source has (int8, bf16) is chosen only where that was
        asked for: its format among the ``targets``, its runtime in ``runtimes``, the user's own tolerances, metric or
        word, or a strategy that says how far off a row may be: ``MinLatency(max_error=0.05)``. ``None`` when there is
        no such row. A strategy is any value with a method ``choose(candidates)``; raises :class:`InputError` for
        another object.
        """
        strategy = MinLatency() if strategy is None else strategy
        if isinstance(strategy, type) or not callable(getattr(strategy, "choose", None)):
            raise InputError(
                f"strategy={strategy!r} cannot choose.",
                hint="Give navcore.MinLatency(), for example.",
            )
        return strategy.choose(candidates_of(self.results, self.ranking, self._record.settings))

    def _stored(self) -> list[FormatResult]:
        return [row for row in self.results if not row.live]
