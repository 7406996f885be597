"""The names below ``navcore`` that no plugin may take: the public ones, and those of the wings."""

from __future__ import annotations

WINGS = frozenset(
    {
        "api",
        "cli",
        "contract",
        "errors",
        "evaluation",
        "execution",
        "package",
        "planning",
        "registry",
        "sampling",
        "testing",
        "workspace",
    }
)
"""What ``import navcore.<wing>`` means."""

WORDS = frozenset(
    {
        "available_memory",
        "converter",
        "exporter",
        "first_that_works",
        "hookimpl",
        "load",
        "load_registry",
        "open_artifact",
        "plan",
        "profile",
        "profiler",
        "run",
        "runner",
        "save",
        "verify",
    }
)
"""The public functions. The public classes begin with a capital and are reserved as such."""

RESERVED = WINGS | WORDS


def is_reserved(name: str) -> bool:
    """Whether ``navcore.<name>`` is, or may become, part of navcore itself.

    Other modules of navcore lie inside its wings, so a plugin may be called ``status``, ``archive`` or ``report``.
    """
    return name in RESERVED or name[:1].isupper()
