"""What the caller named: a folder, a model of the hub or a live model, with the processor that belongs to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from nav_huggingface.embedding import TASK, Recipe, embedding_model, recipe_at
from nav_huggingface.parts import wanted_names
from nav_huggingface.tasks import Task, task_named, task_of_class, task_of_config
from nav_huggingface.timm_models import (
    CLASSIFYING,
    TimmImages,
    architecture_of,
    is_timm_folder,
    is_timm_model,
    timm_model,
    timm_name,
)
from navcore import InputError
from navcore.errors import first_line

_UNREACHED = ("LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError", "ConnectionError", "ConnectTimeout")
"""Exceptions of the hub's client and of what it speaks through that mean: nobody answered."""

_LONGEST_NAME = 128


@attrs.frozen
class Named:
    """A live model, its tokenizer or processor (``None`` without one), its task, and the name of its workspace.

    ``problem`` says why a processor could not be loaded, where there is none.
    """

    model: Any = attrs.field(repr=False)
    processor: Any = attrs.field(repr=False)
    task: Task
    name: str
    problem: str = ""


def named_source(
    model: Any, *, task: str | None = None, processor: Any = None, trust_remote_code: bool = False
) -> Named:
    """The model that ``model`` names, loaded, with its processor.

    Args:
        model: a folder that ``save_pretrained`` or timm wrote, an id of the hub, a name of timm's, or a live module.
            Where a folder of that name is there, no hub is asked.
        task: what to load the model for; by default what its architecture is for.
        processor: in place of the one that lies beside the model.
        trust_remote_code: run code that comes with the model.

    Raises:
        InputError: there is no such folder and the hub gave no such model, in one sentence.
        OptionError: the task is none.
    """
    wanted = None if task is None else task_named(task)
    if not isinstance(model, str | os.PathLike):
        return _live(model, wanted, processor, trust_remote_code)
    text = os.fspath(model)
    folder = Path(text).expanduser()
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    if text and folder.is_dir():
        where, name = str(folder), folder.resolve().name
        options["local_files_only"] = True
    else:
        if _is_path(text):
            raise InputError(f"{text} is no folder.", hint="Give a folder that save_pretrained wrote, or a hub's id.")
        where, name = text, text
    if (of_timm := _in_timm(folder, text)) is not None:
        return _from_timm(of_timm, text, wanted, processor, workspace_name(name))
    import transformers

    if folder.is_dir():
        _refuse_adapter(folder)
    config = _loaded(text, lambda: transformers.AutoConfig.from_pretrained(where, **options))
    recipe = None
    if wanted is None or wanted.name == TASK:
        recipe = _loaded(text, lambda: recipe_at(where, options))
        wanted = wanted if recipe is None else task_named(TASK)
    found = wanted or task_of_config(config)
    loaded = _loaded(text, lambda: _load_model(where, config, found, named=wanted is not None, options=options))
    own, problem = processor_at(where, options) if processor is None else (processor, "")
    if found.name == TASK:
        recipe = recipe or Recipe()
        loaded = embedding_model(loaded, recipe)
        if recipe.longest is not None and hasattr(own, "model_max_length"):
            own.model_max_length = min(own.model_max_length, recipe.longest)
    return Named(loaded, own, found, workspace_name(name), problem)


def _in_timm(folder: Path, text: str) -> str | None:
    """What to ask timm for; ``None`` for whatever is none of its models."""
    if text and folder.is_dir():
        return f"local-dir:{folder.resolve()}" if is_timm_folder(folder) else None
    return timm_name(text)


def _from_timm(where: str, text: str, wanted: Task | None, processor: Any, name: str) -> Named:
    model = _loaded(text, lambda: timm_model(where, None if wanted is None else wanted.name))
    return Named(model, processor or TimmImages(model, wanted_names(model)[0]), wanted or task_named(CLASSIFYING), name)


def _refuse_adapter(folder: Path) -> None:
    """Adapters of peft are no models: say what they are, and how they become one."""
    if (folder / "adapter_config.json").is_file():
        raise InputError(
            f"{folder} holds an adapter of peft, which is not merged here.",
            hint="Save the merged model: PeftModel.from_pretrained(…).merge_and_unload().save_pretrained(folder).",
        )


def workspace_name(name: str) -> str:
    """A name for a folder: ``org/model`` becomes ``org-model``, and whatever else a folder cannot have, ``-`` too."""
    cleaned = re.sub(r"[^A-Za-z0-9_.+-]", "-", name)
    cleaned = re.sub(r"\.{2,}", ".", cleaned).lstrip(".+-")
    return cleaned[:_LONGEST_NAME] or "model"


def _is_path(text: str) -> bool:
    """Whether ``text`` can only be meant as a path: an id of the hub has one slash at most, and starts with a name."""
    return text.startswith(("/", ".", "~")) or text.count("/") > 1 or "\\" in text or not text


def _load_model(where: str, config: Any, task: Task, *, named: bool, options: dict[str, Any]) -> Any:
    """The class that the configuration names where it is one of transformers', else the task's auto class."""
    import transformers

    kinds = () if named else [getattr(transformers, name, None) for name in config.architectures or ()]
    kind = next((one for one in kinds if one is not None), task.auto_class)
    local = {key: value for key, value in options.items() if key == "local_files_only" or kind is task.auto_class}
    return kind.from_pretrained(where, **local).eval()


def _live(model: Any, wanted: Task | None, processor: Any, trust_remote_code: bool) -> Named:
    import torch

    if not isinstance(model, torch.nn.Module):
        raise InputError(
            f"a {type(model).__name__} is no model.",
            hint="Give the name of a model, a folder that save_pretrained wrote, or a live PyTorch module.",
        )
    if is_timm_model(model):
        name = workspace_name(architecture_of(model))
        return Named(
            model, processor or TimmImages(model, wanted_names(model)[0]), wanted or task_named(CLASSIFYING), name
        )
    task = wanted or task_of_class(type(model).__name__) or task_named("feature-extraction")
    where, problem = getattr(model, "name_or_path", ""), ""
    if processor is None and isinstance(where, str) and where and Path(where).is_dir():
        options = {"trust_remote_code": trust_remote_code, "local_files_only": True}
        processor, problem = processor_at(where, options)
    name = Path(where).name if isinstance(where, str) and where else type(model).__name__
    if hasattr(model, "peft_config"):
        raise InputError(
            f"{name} has an adapter of peft in it, which is not merged here.", hint="Give model.merge_and_unload()."
        )
    if task.name == TASK and hasattr(model, "config"):
        model = embedding_model(model, Recipe())
    return Named(model, processor, task, workspace_name(name), problem)


def processor_at(where: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The processor, tokenizer, image processor or feature extractor beside the model; ``None`` and why without one."""
    import transformers

    problems = []
    for kind in ("AutoProcessor", "AutoTokenizer", "AutoImageProcessor", "AutoFeatureExtractor"):
        try:
            return getattr(transformers, kind).from_pretrained(where, **options), ""
        except Exception as error:  # each says in another way that it finds none, or not all that it needs
            problems.append(f"{type(error).__name__}: {first_line(error)}")
    # The first is about processors of several parts, and the others are about one: a tokenizer that is broken says how.
    return None, next((one for one in problems if "Unrecognized processing class" not in one), problems[0])


def _loaded(name: str, load: Callable[[], Any]) -> Any:
    """What ``load`` returns; where it fails, the cause in one sentence."""
    try:
        return load()
    except InputError:
        raise
    except Exception as error:  # what stands in a folder is a stranger's: a file may be cut short, a number a word
        kinds = {type(one).__name__ for one in _causes(error)}
        if Path(name).expanduser().is_dir():
            plain = isinstance(error, OSError | ValueError | ImportError)
            told = first_line(error) if plain else f"{type(error).__name__}: {first_line(error)}"
            raise InputError(f"{name} cannot be loaded: {told}") from error
        if kinds & set(_UNREACHED) or "couldn't connect" in str(error):
            import huggingface_hub

            offline = huggingface_hub.is_offline_mode()
            why = "HF_HUB_OFFLINE forbids asking the hub" if offline else "the hub cannot be reached"
            raise InputError(
                f"{name!r} is no folder here and not in the hub's cache, and {why}.",
                hint="Give a folder that save_pretrained wrote, or fetch the model where there is a network.",
            ) from error
        raise InputError(f"{name!r} is no folder here, and the hub gave no model: {first_line(error)}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that led to it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
