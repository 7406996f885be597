"""Models of timm: by name or from a folder that timm wrote, with images prepared as their own settings say."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navcore import InputError, OptionError

if TYPE_CHECKING:
    import numpy as np

_PREFIX = "timm/"
"""The organisation of timm's own models on the hub."""

_SETTINGS = ("architecture", "pretrained_cfg")
"""What a config.json that timm wrote has, and one of transformers has not."""

CLASSIFYING, FEATURES = "image-classification", "feature-extraction"


class TimmImages:
    """Prepares images for a model of timm: resized, cropped and normalised by timm's own transform for it.

    ``takes`` is what the model's ``forward`` calls them.
    """

    def __init__(self, model: Any, takes: str) -> None:
        from timm.data import create_transform, resolve_model_data_config

        self.settings: Mapping[str, Any] = resolve_model_data_config(model)
        self.model_input_names = (takes,)
        self._transform = create_transform(**self.settings, is_training=False)

    def __call__(self, images: Sequence[np.ndarray], return_tensors: str = "pt") -> dict[str, Any]:
        """One float32 tensor (images, channels, height, width) by the name that the model's ``forward`` gives it.

        Images are uint8 arrays of shape (height, width, 3); those of a model of one channel lose their colours.
        """
        import torch
        from PIL import Image

        mode = {1: "L", 3: "RGB"}.get(self.settings["input_size"][0], "RGB")
        pictures = [Image.fromarray(image).convert(mode) for image in images]
        return {self.model_input_names[0]: torch.stack([self._transform(picture) for picture in pictures])}

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``timm.json``: the size, crop, interpolation, mean and deviation that images are prepared with."""
        Path(folder, "timm.json").write_text(json.dumps(dict(self.settings), indent=2))


def timm_name(text: str) -> str | None:
    """What timm calls the model that ``text`` names, with or without ``timm/``; ``None`` where it is none of timm's.

    Raises :class:`navcore.InputError` for a name that begins with ``timm/`` where timm is not installed.
    """
    name = text.removeprefix(_PREFIX)
    if importlib.util.find_spec("timm") is None:
        if name != text:
            raise InputError(
                f"{text!r} is a model of timm, which is not installed.",
                hint='Install it: pip install "nav-huggingface[timm]".',
            )
        return None
    if "/" in name or not name:
        return None
    import timm

    return name if timm.is_model(name) else None


def is_timm_folder(folder: Path) -> bool:
    """Whether timm wrote the folder: ``timm.models.save_for_hf`` or ``push_to_hf_hub``."""
    try:
        settings = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and all(key in settings for key in _SETTINGS)


def is_timm_model(model: object) -> bool:
    """Whether a live model is one of timm's: a class of timm with settings for its images."""
    return type(model).__module__.split(".")[0] == "timm" and hasattr(model, "pretrained_cfg")


def architecture_of(model: Any) -> str:
    """What timm calls the architecture of a live model of its own, such as ``resnet18``; else the class."""
    return str(model.pretrained_cfg.get("architecture") or type(model).__name__)


def timm_model(where: str, task: str | None) -> Any:
    """The model with its weights, in eval mode, from a name of timm's or ``local-dir:FOLDER``.

    With the task ``feature-extraction`` it comes without its head.

    Raises:
        OptionError: timm has no models for the task.
        ValueError: the folder's settings name an architecture that this timm does not know.
    """
    if task not in (None, CLASSIFYING, FEATURES):
        raise OptionError(
            f"task={task!r} is none that timm's models are loaded for here.",
            hint=f"Use {CLASSIFYING} or {FEATURES}.",
        )
    try:
        import timm
    except ImportError as error:
        raise InputError(
            f"{where.removeprefix('local-dir:')} was written by timm, which cannot be imported: {error}.",
            hint='Install it: pip install "nav-huggingface[timm]".',
        ) from error
    headless = {"num_classes": 0} if task == FEATURES else {}
    try:
        return timm.create_model(where, pretrained=True, **headless).eval()
    except RuntimeError as error:  # its word for an architecture that it does not know
        raise ValueError(str(error)) from error
