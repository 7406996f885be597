"""``nav.huggingface.export``: a name, a folder or a live model to a package, in the words of Model Navigator 0.3."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import navcore
from nav_huggingface.carrying import as_generating, carried_by, files_of
from nav_huggingface.generating import generates, run_generating
from nav_huggingface.making import made_items
from nav_huggingface.parts import parts_of
from nav_huggingface.rows import Rows, first_split
from nav_huggingface.sources import Named, named_source, workspace_name
from navcore import Format, InputError, OptionError, Unavailable
from navcore.errors import first_line
from navcore.planning import reference_arguments

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from os import PathLike
    from pathlib import Path

    import torch

    from nav_huggingface.rows import Preprocess
    from navcore import (
        JitType,
        Observer,
        PackageDescriptor,
        ProfilerConfig,
        RuntimeProvider,
        SizedDataLoader,
        TensorRTPrecision,
    )

PAGE_FORMATS = (Format.TORCHSCRIPT, Format.ONNX, Format.TORCH_TRT, Format.TENSORRT)
"""What the reference page exports a PyTorch model to when it is not told."""

_SAMPLES = 100


def export(
    model_name: str | PathLike[str] | torch.nn.Module,
    dataloader: SizedDataLoader | None = None,
    dataset_name: str | None = None,
    dataset_preprocessing_function: Preprocess | None = None,
    opset: int | None = None,
    target_formats: str | Format | tuple[str | Format, ...] | None = None,
    jit_options: str | JitType | tuple[str | JitType, ...] | None = None,
    workdir: Path | None = None,
    override_workdir: bool = False,
    sample_count: int | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    onnx_config: Any = None,
    target_precisions: str | TensorRTPrecision | tuple[str | TensorRTPrecision, ...] | None = None,
    precision_mode: str | None = None,
    trt_dynamic_axes: dict[str, dict[int, tuple[int, int, int]]] | None = None,
    max_workspace_size: int | None = None,
    target_device: str | None = None,
    disable_git_info: bool = False,
    max_bs: int | None = None,
    batch_dim: int | None = 0,
    padding: bool | str = True,
    max_sequence_len: int | None = None,
    runtimes: str | RuntimeProvider | tuple[str | RuntimeProvider, ...] | None = None,
    run_profiling: bool = True,
    profiler_config: ProfilerConfig | None = None,
    *,
    task: str | None = None,
    dataset: Any = None,
    preprocess: Preprocess | None = None,
    processor: Any = None,
    trust_remote_code: bool = False,
    use_cache: bool | None = None,
    name: str | None = None,
    progress: Observer | None = None,
    executor: Executor | None = None,
) -> PackageDescriptor:
    """Export a HuggingFace model to all supported formats, prove and measure each, and return the package.

    Those are TorchScript, ONNX, Torch-TensorRT and TensorRT, unless ``target_formats`` says otherwise. The data is the
    ``dataloader``, else the ``dataset``, else made by the model's own tokenizer or processor. What is made carries
    the files of that, and of the configuration, as assets.

    Args:
        model_name: a folder that ``save_pretrained`` wrote, the id of a model of the hub, or a live model. Where the
            folder is there, no hub is asked.
        dataloader: as for :func:`navcore.run`; its items are mappings of the model's inputs.
        dataset_name: of a dataset for ``datasets.load_dataset``; its split ``train`` is used.
        dataset_preprocessing_function: 0.3's word for ``preprocess``.
        opset: the ONNX opset, by default the newest that exporter and ONNX Runtime both support.
        target_formats: formats or families; each out of reach is a row with the reason.
        jit_options: limits TorchScript and Torch-TensorRT to ``"script"`` or ``"trace"``.
        workdir: where the workspace is kept, by default ``navigator_workdir``.
        override_workdir: start with an empty workspace.
        sample_count: how many samples are compared, 100 by default; of a dataset no more batches are read.
        atol: the largest allowed absolute difference.
        rtol: the largest allowed relative difference.
        onnx_config: has no effect: inputs, outputs and axes come from the model and the data.
        target_precisions: limits the TensorRT variants to these precisions.
        precision_mode: for the TensorRT routes that take it.
        trt_dynamic_axes: ``{input: {axis: (min, opt, max)}}``, by default from the data.
        max_workspace_size: bytes that a TensorRT builder may use.
        target_device: the device to export and run on, by default where the model is.
        disable_git_info: leave repository and commit out of the record.
        max_bs: how many rows of a dataset make an item (1 by default), how many texts or images one that is made (2).
        batch_dim: the batch axis of every batched tensor.
        padding: as tokenizers take it: ``True`` to the longest of the batch, ``"max_length"`` to ``max_sequence_len``.
        max_sequence_len: the most tokens of a text, by default what tokenizer and model take.
        runtimes: limits the runtimes of ONNX.
        run_profiling: measure every runtime that verified.
        profiler_config: windows of the measurement.
        task: what the model is loaded for, such as ``"fill-mask"``; by default what its architecture is for.
        dataset: a ``datasets.Dataset``, or a mapping of splits. Columns that are named like the model's inputs are
            these; else columns of texts, images or sounds go through the processor.
        preprocess: turns some rows of the dataset, a list for each column, into the model's inputs.
        processor: a tokenizer or processor in place of the one that lies beside the model.
        trust_remote_code: run code that comes with the model.
        use_cache: export a model that generates with its cache as inputs and outputs, so that
            :func:`nav_huggingface.generator` takes the package; by default wherever that is possible. ``False`` exports
            what its ``forward`` returns without one.
        name: of the workspace, by default that of the model, with ``-`` for what a folder's name cannot have.
        progress: receives an event whenever something begins or ends.
        executor: where the steps run.

    Raises:
        InputError: the model or the data cannot be had or used; the sentence says which and why.
        OptionError: an argument is out of range or contradicts another.
        Unavailable: ``dataset_name`` without the package datasets.

    and what :func:`navcore.run` raises.
    """
    given = locals()
    words = (
        "opset", "target_formats", "jit_options", "workdir", "override_workdir", "sample_count", "atol", "rtol",
        "target_precisions", "precision_mode", "trt_dynamic_axes", "max_workspace_size", "target_device",
        "disable_git_info", "batch_dim", "run_profiling", "profiler_config", "progress", "executor",
    )  # fmt: skip
    if onnx_config is not None:
        logging.getLogger("nav_huggingface").warning(
            "onnx_config has no effect: inputs, outputs and axes come from the model's forward and the data."
        )
    _refuse_sizes(max_bs, max_sequence_len, padding)
    data = _one_dataset(dataloader, dataset, dataset_name, preprocess, dataset_preprocessing_function)
    named = named_source(model_name, task=task, processor=processor, trust_remote_code=trust_remote_code)
    said = {
        **{word: given[word] for word in words},
        "onnx_runtimes": runtimes,
        "model_name": named.name if name is None else workspace_name(name),
    }
    arguments = reference_arguments(said, plugin="nav_huggingface", formats=PAGE_FORMATS)
    files = files_of(named)
    with as_exported(named, padded_in_front=use_cache is not False and named.task.name == "text-generation"):
        base = dataloader
        if dataloader is None and data is None:
            base = made_items(named, batch=max_bs, padding=padding, longest_text=max_sequence_len)
        elif dataloader is None:
            base = Rows(
                named,
                first_split(data),
                preprocess or dataset_preprocessing_function,
                max_bs or 1,
                padding,
                max_sequence_len,
                sample_count or _SAMPLES,
            )
        if generates(named, base, use_cache):
            return run_generating(named, base, as_generating(files, named), arguments)
        with carried_by(named.model, files):
            return navcore.run(named.model, base, **arguments)


def _refuse_sizes(max_bs: Any, max_sequence_len: Any, padding: Any) -> None:
    for word, value in (("max_bs", max_bs), ("max_sequence_len", max_sequence_len)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionError(f"{word}={value!r} is no size.", hint="Give a number above 0, or None.")
    if padding not in (True, False, "longest", "max_length", "do_not_pad"):
        raise OptionError(f"padding={padding!r} is none.", hint='Give True, False, "longest" or "max_length".')


def _one_dataset(dataloader: Any, dataset: Any, name: str | None, preprocess: Any, other: Any) -> Any:
    """The dataset that was given, loaded where it is a name; refuses what contradicts itself."""
    told = [
        word
        for word, value in (("dataloader", dataloader), ("dataset", dataset), ("dataset_name", name))
        if value is not None
    ]
    if len(told) > 1:
        raise OptionError(f"{' and '.join(told)} are given, and data come from one of them.", hint="Give one.")
    if preprocess is not None and other is not None:
        raise OptionError(
            "preprocess and dataset_preprocessing_function are given, and they are two words for one thing.",
            hint="Give preprocess alone.",
        )
    if (preprocess or other) is not None and (dataloader is not None or not told):
        raise OptionError("preprocess is for the rows of a dataset, and there is none.", hint="Give dataset=.")
    return dataset if name is None else _load_dataset(name)


def _load_dataset(name: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise Unavailable(
            "dataset_name needs the package datasets, which is not installed.",
            hint='Install it: pip install "nav-huggingface[datasets]".',
        ) from error
    try:
        return datasets.load_dataset(name)
    except Exception as error:  # the hub's client has a score of classes for what can go wrong
        raise InputError(f"The dataset {name!r} cannot be had: {first_line(error)}") from error


@contextlib.contextmanager
def as_exported(named: Named, *, padded_in_front: bool = False) -> Iterator[None]:
    """For the time of the block the model returns what it is exported with: named outputs, no cache unless told.

    A tokenizer without padding pads with the end of a text, and a model that has to know the number of it is told.
    ``padded_in_front`` lets the tokenizer pad texts in front, where a model that goes on with them needs it.
    """
    config = getattr(named.model, "config", None)
    tokenizer = parts_of(named.processor).tokenizer
    # A decoder may have a configuration of its own, as T5's.
    parts = {id(part): part for part in (getattr(one, "config", None) for one in named.model.modules())}
    wanted: list[tuple[Any, str, Any]] = [(part, "use_cache", False) for part in parts.values()]
    wanted.append((config, "return_dict", True))
    if tokenizer is not None and tokenizer.pad_token is None and tokenizer.eos_token is not None:
        wanted.append((tokenizer, "pad_token", tokenizer.eos_token))
        if getattr(config, "pad_token_id", 0) is None:
            wanted.append((config, "pad_token_id", tokenizer.eos_token_id))
    if tokenizer is not None and padded_in_front:
        wanted.append((tokenizer, "padding_side", "left"))
    before = [(owner, key, getattr(owner, key)) for owner, key, _ in wanted if hasattr(owner, key)]
    for owner, key, value in wanted:
        if hasattr(owner, key):
            setattr(owner, key, value)
    try:
        yield
    finally:
        for owner, key, value in before:
            setattr(owner, key, value)
