"""Checks of what a plugin declares: nothing is made or run for them."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Collection, Iterator
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from navcore.contract import Format, Hook, Route, RuntimeProvider
from navcore.errors import OptionError, first_line
from navcore.registry import Plugin, Registry, resolve_options
from navcore.testing.checks.fresh_python import fresh_python
from navcore.testing.ground import Ground
from navcore.testing.verdicts import NotHere, NotMet
from navcore.workspace import from_data, to_data

_WRONG = "no such value"
_LISTED = """
import sys
known = set(sys.modules)
import navcore, navcore.registry, numpy, ml_dtypes, attrs
before = set(sys.modules) - known
import importlib
importlib.import_module(sys.argv[1])
import json
print()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before - known})))
"""
_SILENT = """
import importlib, sys
import navcore, navcore.registry
importlib.import_module(sys.argv[1])
"""
_ROUTES = """
import json
from navcore.registry import load_registry
plugin = load_registry().plugin(__import__("sys").argv[1])
print()
print(json.dumps(sorted(route.id for route in plugin.routes) if plugin else []))
"""


def imports_light(ground: Ground) -> None:
    """Importing the plugin's module imports no framework.

    Whoever types ``navcore plugins`` imports every plugin, and must not wait for PyTorch. The module is imported in a
    child; it may bring in the standard library, navcore and what navcore needs itself (attrs, numpy, ml_dtypes …).

    If this fails: move the imports it names into the functions that use them. Types for annotations go under
    ``if TYPE_CHECKING:``. A small pure-Python dependency may be named in ``allowed_imports=``.
    """
    module = ground.plugin.target.partition(":")[0]
    own = ground.plugin.distribution
    allowed = {_normal(name) for name in (own, "navcore", *_requirements("navcore"), *ground.allowed_imports)}
    owners = importlib.metadata.packages_distributions()
    heavy = {
        name: owners[name][0]
        for name in _in_child(ground, _LISTED, module)
        if name in owners and not allowed.intersection(map(_normal, owners[name]))
    }
    if heavy:
        told = ", ".join(f"{name} (of {owner})" for name, owner in sorted(heavy.items()))
        raise NotMet(f"importing {module} also imports {told}: import it inside the functions that use it")


def imports_silently(ground: Ground) -> None:
    """Importing the plugin's module prints nothing: whoever types ``navcore plugins --json`` reads the output.

    The module is imported in a child, whose standard output is read, that of C libraries and subprocesses included.

    If this fails: take the banner out, or use ``logging``. A library that prints while it is imported is imported
    inside the function that uses it.
    """
    module = ground.plugin.target.partition(":")[0]
    printed = _child_output(ground, _SILENT, module).strip()
    if printed:
        raise NotMet(f"importing {module} prints {printed.splitlines()[0][:80]!r} to standard output")


def names_are_its_own(ground: Ground) -> None:
    """Formats and runtimes carry the plugin's name, so that two plugins never mean different things by one word.

    A format is ``name`` or ``name-…``, of a family that navcore itself names (``Format.TORCHSCRIPT`` …) or named after
    such a family (``torch-trt-…``), or another plugin's, imported from there. A runtime begins with the plugin's name
    or is one of ``RuntimeProvider``.

    If this fails: put the plugin's name in front: ``openvino-cpu``, not ``cpu``. ``family=`` does not help: it is what
    variants share (``family="openvino"`` of ``openvino-int8``), and users may name it in place of them.
    """
    plugin = ground.plugin
    others = [other for other in ground.registry.plugins if other.loaded and other.name != plugin.name]
    known = {value.family for value in vars(Format).values() if isinstance(value, Format)}
    foreign = [
        format.name
        for format in _declared(plugin)
        if not (_begins(format.name, plugin) or _is_named_after(format, known) or _is_of(format, others))
    ]
    strange = [
        route.runtime
        for route in plugin.routes
        if route.runtime and not _begins(route.runtime, plugin) and route.runtime not in set(RuntimeProvider)
    ]
    told = [f"the format {name!r}" for name in foreign] + [f"the runtime {name!r}" for name in dict.fromkeys(strange)]
    if told:
        raise NotMet(f"{' and '.join(told)} could be anybody's: begin the name with {plugin.name!r}")


def _is_named_after(format: Format, families: Collection[str]) -> bool:
    return format.family in families or any(f"{format.name}-".startswith(f"{family}-") for family in families)


def routes_are_the_same_in_a_child(ground: Ground) -> None:
    """A fresh process finds the same routes: that is where conversions and runners work.

    A plugin without any route has to wrap a hook, or it does nothing at all.

    If this fails: declare routes at the module's top level and unconditionally. What depends on the machine belongs
    into ``available=``. Routes in modules below the announced one count when they are imported into it.
    """
    here = sorted(route.id for route in ground.plugin.routes)
    if not here and not _wraps_a_hook(ground):
        raise NotMet(f"{ground.plugin.target} declares no route and wraps no hook")
    there = _in_child(ground, _ROUTES, ground.plugin.name)
    if here != there:
        only = ", ".join(sorted(set(here) ^ set(there))) or "one of them twice"
        raise NotMet(f"a fresh process does not find the same routes: {only}")


def _wraps_a_hook(ground: Ground) -> bool:
    hooks = [getattr(ground.registry.hooks, hook) for hook in get_args(Hook)]
    return any(one.plugin_name == ground.name for hook in hooks for one in hook.get_hookimpls())


def probe_answers(ground: Ground, route: Route) -> None:
    """``available=`` answers ``None`` or a reason in words.

    If this fails: catch what the probe raises and return a sentence that tells a user what is missing, such as
    "no CUDA device". An empty text would be no reason.
    """
    assert route.available is not None
    try:
        with ground.busy(f"{route.who}, available="):
            reason: object = route.available()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise NotMet(f"the probe raised {type(error).__name__}: {first_line(error)}") from error
    if reason is not None and not (isinstance(reason, str) and reason.strip()):
        raise NotMet(f"the probe answered {reason!r}, which is neither None nor a reason")


def options_are_frozen(ground: Ground, route: Route) -> None:
    """The options are a frozen attrs class: a value that steps share must not change under them.

    (That it is an attrs class, and that every option has a default, is asked for when the plugin is loaded.)

    If this fails: decorate the class with ``@attrs.frozen``; tuples and mappings in place of lists.
    """
    assert route.options is not None
    options = route.options()
    name = next((field.name for field in attrs.fields(route.options)), "anything")
    try:
        setattr(options, name, getattr(options, name, None))
    except (attrs.exceptions.FrozenInstanceError, AttributeError):
        pass
    else:
        raise NotMet(f"{route.options.__name__}.{name} can be assigned to: decorate the class with @attrs.frozen")
    loose = [
        field.name for field in attrs.fields(route.options) if isinstance(getattr(options, field.name), list | set)
    ]
    if loose:
        raise NotMet(f"the default of {', '.join(loose)} can be changed in place: use a tuple")


def options_survive_the_trip(ground: Ground, route: Route) -> None:
    """The options come out of plain data as they went in: that is how they travel to a child process.

    If this fails: annotate the options with plain types (numbers, text, tuples and mappings of them, enumerations).
    """
    assert route.options is not None
    options = route.options()
    try:
        back: object = from_data(json.loads(json.dumps(to_data(options))), route.options)
    except Exception as error:
        raise NotMet(f"{options!r} cannot be sent to a child: {type(error).__name__}: {first_line(error)}") from error
    if back != options:
        raise NotMet(f"{options!r} arrives in a child as {back!r}")


def wrong_options_are_refused(ground: Ground, route: Route) -> None:
    """A misspelt option, or a value of the wrong kind, is refused before any work.

    Numbers, booleans, enumerations and ``Literal`` are given a text that they cannot mean; options of other types
    are not judged.

    If this fails: add a validator, such as ``attrs.field(default=17, validator=attrs.validators.instance_of(int))``,
    or check the values in ``__attrs_post_init__`` and raise ``navcore.OptionError``.
    """
    assert route.options is not None
    key = f"{route.source}/{route.runtime}" if route.hook == "make_runner" else route.goal.name
    hints = get_type_hints(route.options)
    fields = [field for field in attrs.fields(route.options) if field.init]
    narrow = [field.alias for field in fields if _cannot_be_text(hints.get(field.name, Any))]
    accepted = [name for name in ("navcore_no_such_option", *narrow) if not _refused(ground.registry, key, name)]
    if accepted:
        raise NotMet(f"options[{key!r}] accepts {', '.join(f'{name}={_WRONG!r}' for name in accepted)}")


def _refused(registry: Registry, key: str, option: str) -> bool:
    try:
        resolve_options({key: {option: _WRONG}}, registry.routes, registry.formats)
    except OptionError:
        return True
    return False


def _cannot_be_text(hint: Any) -> bool:
    """Whether no text but a listed one can be meant by an option of this type."""
    if get_origin(hint) in (Union, UnionType):
        return all(_cannot_be_text(part) for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Literal:
        return True
    return isinstance(hint, type) and (issubclass(hint, bool | int | float | Enum))


def _declared(plugin: Plugin) -> Iterator[Format]:
    seen: set[str] = set()
    for route in plugin.routes:
        for format in route.formats:
            if format.name not in seen:
                seen.add(format.name)
                yield format


def _begins(name: str, plugin: Plugin) -> bool:
    """``openvino`` begins ``openvino``, ``openvino-cpu`` and ``OpenVINOProvider``, and ``open`` none of them."""
    own, plain = _normal(plugin.name), _normal(name)
    rest = name[len(plugin.name) :]
    return plain.startswith(own) and (not rest or rest[0] in "-_." or rest[0].isupper())


def _is_of(format: Format, others: list[Plugin]) -> bool:
    return any(_begins(format.name, other) and format in _declared(other) for other in others)


def _requirements(distribution: str) -> Iterator[str]:
    """Names of what a distribution needs, extras left out."""
    try:
        found = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for requirement in found:
        if "extra ==" not in requirement:
            yield requirement.partition(";")[0].split("[")[0].strip(" ").rstrip("0123456789.,<>=!~* ")


def _normal(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


def _in_child(ground: Ground, code: str, argument: str) -> list[str]:
    """The JSON on the last line that a fresh Python prints."""
    names = json.loads(_child_output(ground, code, argument).strip().splitlines()[-1])
    if not isinstance(names, list):
        raise NotHere(f"the child answered {names!r}")
    return [str(name) for name in names]


def _child_output(ground: Ground, code: str, argument: str) -> str:
    """What a fresh Python prints to standard output. Raises :class:`NotMet` where it fails, or does not end."""
    done = fresh_python(ground, ["-c", code, argument], f"importing {argument}", about=("plugin",))
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise NotMet(f"a fresh process could not import it: {lines[-1]}", about=("plugin",))
    return done.stdout
