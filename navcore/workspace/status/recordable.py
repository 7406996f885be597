"""Whether settings can be read again from the files that tell them: what a file refuses, an argument refuses first."""

from __future__ import annotations

from navcore.workspace.settings import Settings
from navcore.workspace.status.boundaries import refuse_settings
from navcore.workspace.status.export_config import settings_from_data, settings_to_data
from navcore.workspace.status.file import about
from navcore.workspace.status.yaml_reading import from_yaml
from navcore.workspace.status.yaml_text import to_yaml

_LARGEST = 1 << 20
"""Characters of text: a file holds rows too, and is read up to 4 MiB."""


def refuse_unrecordable(settings: Settings) -> None:
    """Raise :class:`PackageError`, as reading them would, for settings that ``status.yaml`` could not give back."""
    with about(None, "status.yaml"):
        text = to_yaml(settings_to_data(settings))
        if len(text) > _LARGEST:
            raise ValueError(f"it is longer than {_LARGEST} characters")
        refuse_settings(settings_from_data(from_yaml(text)))
