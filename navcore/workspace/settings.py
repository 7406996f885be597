"""The arguments of a run that are recorded: each with its type, its default, what it means, and where it is kept.

Beside its default each field carries an :class:`Argument`, from which the rest derives: what :func:`navcore.run` and
:func:`navcore.plan` take and say about it, the keys of ``status.yaml`` and ``config.yaml``, the command line's option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from navcore.contract import Effort, ProfilerConfig
from navcore.errors import OptionError
from navcore.workspace.argument import CommandOption, Spelling, argument
from navcore.workspace.argument_types import (
    anything,
    axis_ranges,
    by_name,
    device,
    named_axes,
    names,
    number,
    or_else,
    or_none,
    shown,
    switch,
    tensor_names,
    text,
    whole,
    word_of,
)
from navcore.workspace.measuring_types import (
    AUTO,
    measurement,
    number_of_callers,
    number_of_threads,
    sizes_or_auto,
)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")
_OPTIONS = "{'onnx': {'opset': 17}}"
_ROUTE_OPTIONS = by_name(anything, example=_OPTIONS, of="options to values", part_of="options")
_RUNTIMES = names(example="['CPUExecutionProvider']")
_LONGEST = 1e9  # seconds, some thirty years
_PLUGIN = text(example="'nav-torch'")


def valid_model_name(name: str) -> str:
    """The name, if it can be a folder's. Raises :class:`OptionError`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise OptionError(
            f"model_name={shown(name)} cannot name a folder.", hint="Use letters, digits, '_', '-', '+' and '.'."
        )
    return name


@attrs.frozen
class Settings:
    """Everything a run was asked for, except the model and the data: one value, stored whole and read whole."""

    model_name: str = argument(
        "navigator_model",
        lambda _, name: valid_model_name(name),
        "names the workspace folder, ``<workdir>/<model_name>.nav.workspace``.",
        option=CommandOption(Spelling.TEXT, "--model-name", "NAME", "Names the workspace. Default: navigator_model."),
        reference="model_name",
    )
    targets: tuple[str, ...] | None = argument(
        None,
        or_none(names(example="['onnx', 'torchscript']")),
        "formats or families to reach, by value or name; by default all that the installed plugins reach. With an "
        "empty list the source alone is checked.",
        option=CommandOption(
            Spelling.NAMES,
            "--target",
            "FORMAT",
            "A format or family to reach; may be repeated. Default: all that the installed plugins reach; of a "
            "package, all that it was asked for.",
        ),
        reference="target_formats",
    )
    effort: Effort = argument(
        Effort.NORMAL,
        word_of(Effort),
        'how much time to take where ``targets`` names nothing: ``"quick"`` makes a file for each format, ``"normal"`` '
        'adds what computes faster for a little more time (optimised graphs, compiled code), ``"thorough"`` also '
        "what takes long (quantisation, several arrangements of one runtime).",
        option=CommandOption(
            Spelling.TEXT, "--effort", "WORD", "How much time to take: quick, normal or thorough. Default: normal."
        ),
    )
    options: Mapping[str, Mapping[str, Any]] = argument(
        None,
        or_else(dict, by_name(_ROUTE_OPTIONS, example=_OPTIONS, of="targets to options")),
        'options of routes by target, or by ``target/runtime``: ``{"onnx": {"opset": 17}}``.',
        option=CommandOption(
            Spelling.ROUTE_OPTIONS,
            "--option",
            "KEY.NAME=VALUE",
            "An option of the plugin that makes KEY, or runs it (KEY is FORMAT or FORMAT/RUNTIME); may be repeated.",
        ),
        in_variant=True,
    )
    sample_count: int = argument(
        100,
        or_else(lambda: 100, whole(above=0, example="100")),
        "how many samples are kept for the correctness test; ``None`` means the default.",
        option=CommandOption(Spelling.WHOLE, "--sample-count", "N", "How many samples are compared. Default: 100."),
        reference="sample_count",
        in_variant=True,
    )
    atol: float | None = argument(
        None,
        or_none(number(zero=True, example="1e-3")),
        "the largest allowed |source − exported|; with ``rtol`` also absent, a bound on the relative L2 error of the "
        "format's precision applies instead.",
        option=CommandOption(Spelling.NUMBER, "--atol", "X", "The largest absolute difference that is allowed."),
        reference="atol",
        in_variant=True,
    )
    rtol: float | None = argument(
        None,
        or_none(number(zero=True, example="1e-3")),
        "the largest allowed |source − exported| / |exported|.",
        option=CommandOption(Spelling.NUMBER, "--rtol", "X", "The largest relative difference that is allowed."),
        reference="rtol",
        in_variant=True,
    )
    input_names: tuple[str, ...] | None = argument(
        None,
        or_none(tensor_names),
        "names of the inputs, in the order of the samples' tensors.",
        option=CommandOption(
            Spelling.NAMES,
            "--input-name",
            "NAME",
            "A name for the next input, in the order of the samples; repeat it for each.",
        ),
        reference="_input_names",
        in_variant=True,
    )
    output_names: tuple[str, ...] | None = argument(
        None,
        or_none(tensor_names),
        "names of the outputs, in the order of the result's tensors.",
        option=CommandOption(Spelling.NAMES, "--output-name", "NAME", "The same for the outputs."),
        reference="_output_names",
        in_variant=True,
    )
    dynamic_axes: Mapping[str, Any] | None = argument(
        None,
        or_none(by_name(named_axes, example="{'input': {0: 'batch'}}", of="tensors to axes")),
        "per tensor ``{axis: symbol}`` or a list of axes; by default what varies in the data.",
        option=CommandOption(
            Spelling.DYNAMIC_AXES,
            "--dynamic-axis",
            "TENSOR:AXIS=SYMBOL",
            "An axis that has to stay free; may be repeated. Default: what varies in the data.",
        ),
        reference="dynamic_axes",
        in_variant=True,
    )
    axis_ranges: Mapping[str, Any] | None = argument(
        None,
        or_none(by_name(axis_ranges, example="{'batch': (1, 8, 32)}", of="axes to sizes")),
        "``{symbol: (min, typical, max)}`` or ``{input: {axis: (min, typical, max)}}``; by default from the data.",
        option=CommandOption(
            Spelling.AXIS_RANGES,
            "--axis-range",
            "AXIS=MIN,TYPICAL,MAX",
            "The sizes of an axis, named by its symbol or as INPUT:AXIS; may be repeated. Default: from the data.",
        ),
        in_variant=True,
    )
    batch_dim: int | None = argument(
        0,
        or_none(whole(example="0, or None for a model that does not batch")),
        "the batch axis of every batched tensor; ``None`` for a model that does not batch.",
        option=CommandOption(Spelling.AXIS, "--batch-dim", "AXIS", "The batch axis, or none for no batch. Default: 0."),
        reference="batch_dim",
        in_variant=True,
    )
    device: str | None = argument(
        None,
        or_none(device),
        'the device for the source and for runtimes that have a choice, for example ``"cuda:0"``.',
        option=CommandOption(
            Spelling.TEXT, "--device", "NAME", "Where the source, and runtimes that have a choice, run: cuda:0."
        ),
        reference="target_device",
        in_variant=True,
    )
    runtimes: Mapping[str, tuple[str, ...]] = argument(
        None,
        or_else(dict, by_name(_RUNTIMES, example="{'onnx': ['CPUExecutionProvider']}", of="formats to runtimes")),
        'limits a format to the named runtimes: ``{"onnx": ["CPUExecutionProvider"]}``.',
        option=CommandOption(
            Spelling.LISTS, "--runtime", "FORMAT=RUNTIME", "Check the format in this runtime only; may be repeated."
        ),
        in_variant=True,
    )
    run_profiling: bool = argument(
        True,
        switch,
        "measure every runtime that verified.",
        option=CommandOption(Spelling.SWITCH, "--no-profiling", "", "Verify, and do not measure."),
    )
    profiler_config: ProfilerConfig | None = argument(
        None,
        or_none(measurement),
        "windows, stability and batch sizes of the measurement. Without it the numbers come from the blocks of the "
        "ranking, and without a ranking from the windows of the reference page.",
        option=CommandOption(
            Spelling.WINDOWS,
            "--measurement-interval",
            "MS",
            "Measure each model by windows of so many milliseconds as well, until three agree.",
        ),
        reference="profiler_config",
    )
    batch_sizes: tuple[int, ...] | str | None = argument(
        None,
        or_none(sizes_or_auto),
        "the batch sizes to measure, by default those of ``profiler_config``, else 1 and the dataloader's. With "
        '``"auto"`` the batch is doubled, for each model, until that gains less than 5 % of throughput twice in a row '
        "or memory ends.",
        option=CommandOption(
            Spelling.SIZES,
            "--batch-size",
            "N",
            "Measure at this batch size; may be repeated. auto doubles it while that gains. Default: 1 and the data's.",
        ),
    )
    ranking: bool = argument(
        True,
        switch,
        "measure the source and all that verified in turn, in short blocks, until it is known by how much each is "
        "faster. It needs one machine, so with ``executor`` there is none.",
        option=CommandOption(Spelling.SWITCH, "--no-ranking", "", "Do not measure the models in turn."),
    )
    budget: float = argument(
        90.0,
        number(zero=False, example="90.0", most=_LONGEST),
        "seconds that the ranking may take.",
        option=CommandOption(Spelling.NUMBER, "--budget", "SECONDS", "How long the ranking may take. Default: 90."),
    )
    threads: int | str = argument(
        AUTO,
        number_of_threads,
        'compute threads of what is measured. ``"auto"`` briefly tries one, the physical cores and all that this '
        "process may use, and takes the fastest for each model; ``OMP_NUM_THREADS``, where set, is the upper bound.",
        option=CommandOption(
            Spelling.TEXT,
            "--threads",
            "N",
            "Compute threads of what is measured. Default: auto, the fastest of one, the physical cores and all.",
        ),
    )
    callers: int | None = argument(
        None,
        or_none(number_of_callers),
        "so many callers at once are measured as well, of one loaded model that they share and of one for each of "
        "them: about four seconds for each row and batch size, beside the budget.",
        option=CommandOption(
            Spelling.WHOLE, "--callers", "N", "Measure the throughput of so many callers at once as well."
        ),
    )
    profiler: str = argument(
        None,
        or_else(lambda: "navcore", text(example="'navcore'")),
        "the plugin whose profiler measures, by name.",
        option=CommandOption(
            Spelling.TEXT, "--profiler", "PLUGIN", "The plugin whose profiler measures. Default: navcore's own."
        ),
    )
    prefer: Mapping[str, str] = argument(
        None,
        or_else(dict, by_name(_PLUGIN, example="{'onnx': 'nav-torch'}", of="targets to plugins")),
        "``{target: plugin}`` pins the plugin that makes a format.",
        option=CommandOption(
            Spelling.PAIRS,
            "--prefer",
            "FORMAT=PLUGIN",
            "The plugin that makes the format, where several can; may be repeated.",
        ),
        in_variant=True,
    )
    timeout: float | None = argument(
        None,
        or_none(number(zero=False, example="600", unlimited="Leave it out for no limit.", most=_LONGEST)),
        "seconds that one step may take.",
        option=CommandOption(Spelling.NUMBER, "--timeout", "SECONDS", "How long one step may take."),
        in_variant=True,
    )
    memory_limit: int | None = argument(
        None,
        or_none(whole(above=0, example="2 * 1024**3, in bytes")),
        "bytes of resident memory that one step may use.",
        option=CommandOption(Spelling.SIZE, "--memory-limit", "SIZE", "How much memory one step may use, as 8GiB."),
        in_variant=True,
    )
    git_info: bool = argument(
        True,
        switch,
        "record repository and commit of the current folder (never author or e-mail).",
    )

    @property
    def windows(self) -> ProfilerConfig | None:
        """The windows by which each model is measured for itself; ``None`` where none are."""
        if not self.run_profiling or (self.ranking and self.profiler_config is None):
            return None
        return self.measuring

    @property
    def measuring(self) -> ProfilerConfig:
        """What was asked of the measurement, its batch sizes included; what was not is as the page has it."""
        config = self.profiler_config or ProfilerConfig()
        if self.batch_sizes is None:
            return config
        sizes = None if isinstance(self.batch_sizes, str) else self.batch_sizes
        return attrs.evolve(config, batch_sizes=sizes)

    @property
    def doubles(self) -> bool:
        """Whether the batch is doubled while that gains, instead of being measured at sizes that are known before."""
        return self.batch_sizes == AUTO and self.batch_dim is not None

    def without_batch(self) -> Settings:
        """The settings for a model that turned out not to batch: the sizes asked for were that one batch."""
        config = self.profiler_config and attrs.evolve(self.profiler_config, batch_sizes=None)
        return attrs.evolve(self, batch_dim=None, batch_sizes=None, profiler_config=config)
