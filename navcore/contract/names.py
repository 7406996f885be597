"""Text that is a name, and cannot be anything else: every path and every lookup is built from such values alone.

A name may come from a user, a plugin or a stranger's file. Where it becomes one of these values it is validated, once;
whoever holds one need not ask again. They are text in every other respect.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, TypeVar

from navcore.errors import InputError

Text = TypeVar("Text", bound="_Validated")


class _Validated(str):
    """Text of at most ``longest`` bytes that prints as what it is."""

    __slots__ = ()
    kind: ClassVar[str] = "a name"
    longest: ClassVar[int] = 128

    def __new__(cls: type[Text], text: Any) -> Text:
        """The text as a value of this class. Raises :class:`InputError`, a ``ValueError``, when it cannot be one."""
        if isinstance(text, cls):
            return text
        if not isinstance(text, str):
            cls._refuse(text, "it is not text")
        if not text:
            cls._refuse(text, "it is empty")
        if len(text) > cls.longest or len(text.encode("utf-8", "surrogatepass")) > cls.longest:
            cls._refuse(text[:40], f"it is longer than {cls.longest} bytes")
        if not text.isprintable():
            cls._refuse(text, "it holds a character that cannot be seen")
        cls._validate(text)
        return str.__new__(cls, text)

    @classmethod
    def _validate(cls, text: str) -> None:
        """What else this kind of text has to be."""

    @classmethod
    def _refuse(cls, text: object, why: str) -> NoReturn:
        raise InputError(f"{ascii(text)[:80]} cannot be {cls.kind}: {why}.")


class Name(_Validated):
    """The name of a format, runtime, plugin, route, option or file: one entry of a folder, and no way out of it.

    At most 128 bytes, printable, without a separator, and not beginning with a dot.
    """

    __slots__ = ()

    @classmethod
    def _validate(cls, text: str) -> None:
        if "/" in text or "\\" in text:
            cls._refuse(text, "it holds a separator")
        if text.startswith("."):
            cls._refuse(text, "it begins with a dot")
        if text != text.strip():
            cls._refuse(text, "it begins or ends with a space")


class TensorName(_Validated):
    """The name of an input, an output or an axis. At most 512 bytes, printable.

    Frameworks put separators into the names of tensors (``/encoder/Gemm_output_0``), so these are never part of a path;
    one that would lead upwards is refused all the same.
    """

    __slots__ = ()
    kind = "the name of a tensor"
    longest = 512

    @classmethod
    def _validate(cls, text: str) -> None:
        if not {".", ".."}.isdisjoint(text.replace("\\", "/").split("/")):
            cls._refuse(text, "it is a path upwards")


class InnerPath(_Validated):
    """The place of a file in a workspace: relative, with ``/`` between parts, each of which is a :class:`Name`."""

    __slots__ = ()
    kind = "a place in a workspace"
    longest = 1024

    @classmethod
    def _validate(cls, text: str) -> None:
        for part in text.split("/"):
            try:
                Name(part)
            except InputError:
                cls._refuse(text, f"{ascii(part)[:40]} is not one entry of a folder")


def name_or_none(text: str | None) -> Name | None:
    """For a field that may hold a name."""
    return None if text is None else Name(text)


def path_or_none(text: str | None) -> InnerPath | None:
    """For a field that may hold a place."""
    return None if text is None else InnerPath(text)
