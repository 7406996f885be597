"""Every error that navcore raises on purpose, as one tree.

    NavcoreError
    ├── InputError (ValueError)        what the caller handed in cannot be used
    │   ├── DataloaderError            the dataloader is empty, has no len(), changes between passes …
    │   ├── SourceError                the model does not take the sample, or returns nothing usable
    │   ├── OptionError                an unknown, misspelt or contradictory option or argument
    │   │   └── UnknownArgument (TypeError)  the function has no argument of that name
    │   └── UnknownFormat (LookupError)  no installed plugin, or no row of a package, goes by that name
    ├── PluginError                    a plugin broke the contract of a hook or of a declaration
    ├── StepError                      a step of a plan failed
    │   ├── ExportError                a live model could not be exported
    │   ├── ConversionError            a file could not be converted
    │   ├── Unavailable                something the step needs is not on this machine
    │   └── StepCrashed                the step's process was killed, ran out of time or memory, or left no result
    ├── WorkspaceError                 the working folder cannot be used
    │   ├── WorkspaceNotOurs           the folder was not made by navcore, so nothing in it is touched
    │   ├── WorkspaceExists (FileExistsError)  the package's workspace is there already
    │   └── WorkspaceLocked            another run holds it
    └── PackageError                   a ``.nav`` file is refused; ``code`` says which rule it breaks
        ├── PackageExists (FileExistsError)
        ├── PackageIncomplete          nothing worth packing, or a part is missing
        └── TrustRequired              using this part of a package can execute code

Each error says who (plugin, version, route), what happened, and what to do next.
"""

from __future__ import annotations

import re
from typing import ClassVar


class NavcoreError(Exception):
    """The root of the tree.

    ``what`` is one sentence, ``who`` the plugin, route or file it is about, ``hint`` what to do next.
    ``category`` is the word under which a failure is recorded in ``status.yaml``.
    """

    category: ClassVar[str] = "internal"

    def __init__(self, what: str, *, who: str = "", hint: str = "") -> None:
        self.what = what
        self.who = who
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        sentence = f"{self.who}: {self.what}" if self.who else self.what
        if not self.hint:
            return sentence
        stop = "" if sentence.endswith((".", "!", "?", ":", ";", ",")) else "."
        return f"{sentence}{stop} {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))


_SOURCE_PLACE = re.compile(r"(?:Exception from|Check .+ failed at|Raised at|at) \S+\.(?:c|cc|cpp|cu|h|hpp):\d+:?")


def first_line(error: BaseException) -> str:
    """The first line of the error's message that says something, without blanks around it; ``(no message)`` for none.

    Never raises, whatever the exception's ``__str__`` does: errors of foreign code are what it is for. A line that only
    tells where in a native library's source it was raised says nothing to the user.
    """
    try:
        text = str(error)
    except Exception:  # the error of foreign code has a broken message: its type has to do
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not _SOURCE_PLACE.fullmatch(line)), lines[0] if lines else "(no message)")


def _rebuild(kind: type[NavcoreError], state: dict[str, object]) -> NavcoreError:
    """Bring an error back from a pickle, whatever arguments its class takes."""
    error = kind.__new__(kind)
    Exception.__init__(error, state.get("what", ""))
    error.__dict__.update(state)
    return error


class InputError(NavcoreError, ValueError):
    """What the caller handed in cannot be used."""

    category = "input"


class DataloaderError(InputError):
    """The dataloader is empty, has no ``len()``, or changes between passes."""


class SourceError(InputError):
    """The source model does not take the sample, or returns nothing that can be compared."""


class OptionError(InputError):
    """An argument or option is unknown, misspelt, out of range or contradicts another."""


class UnknownArgument(OptionError, TypeError):
    """A function of navcore has no argument of that name: what Python itself calls a :class:`TypeError`."""


class UnknownFormat(InputError, LookupError):
    """No installed plugin, or no row of a package, goes by that name."""


class PluginError(NavcoreError):
    """A plugin broke the contract of a hook or of a declaration."""

    category = "plugin"


class StepError(NavcoreError):
    """A step of a plan failed."""

    category = "step"


class ExportError(StepError):
    """A live model could not be exported."""

    category = "export"


class ConversionError(StepError):
    """A file could not be converted."""

    category = "conversion"


class Unavailable(StepError):
    """Something that the step needs is not on this machine; the text is the reason shown in the table."""

    category = "unavailable"


class StepCrashed(StepError):
    """The step's process died: a signal, the time limit, the memory limit, or no result."""

    category = "crash"

    def __init__(self, what: str, *, who: str = "", hint: str = "", category: str = "crash") -> None:
        super().__init__(what, who=who, hint=hint)
        self.crash_category = category


class WorkspaceError(NavcoreError):
    """The working folder cannot be used."""

    category = "workspace"


class WorkspaceNotOurs(WorkspaceError):
    """The folder exists and carries no marker of navcore: nothing in it is read, changed or deleted."""


class WorkspaceExists(WorkspaceError, FileExistsError):
    """The workspace that a package would be loaded into exists, and ``override_workdir`` was not given."""


class WorkspaceLocked(WorkspaceError):
    """Another run holds the workspace; the message names the holder."""


class PackageError(NavcoreError):
    """A ``.nav`` file is refused. ``code`` names the rule that it breaks and never changes between releases."""

    category = "package"

    def __init__(self, what: str, *, code: str = "package", who: str = "", hint: str = "") -> None:
        super().__init__(what, who=who, hint=hint)
        self.code = code


class PackageExists(PackageError, FileExistsError):
    """The target file exists and ``override`` was not given."""


class PackageIncomplete(PackageError, RuntimeError):
    """There is nothing worth packing, or a part that is needed is missing."""


class TrustRequired(PackageError, PermissionError):
    """Using this part of a package can execute code, and the package was loaded without ``trust=True``."""
