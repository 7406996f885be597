"""Makes a rendered chart part of a page: told to screen readers as one picture, small, in the colours of the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"
_TOLD_BY_THE_PICTURE = ("role", "aria-label", "aria-roledescription", "aria-hidden", "class", "font-family")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_DEFAULTS = {"opacity": "1", "stroke-width": "1", "pointer-events": "none"}


def embedded(svg: str, *, name: str, kind: str, title: str, description: str) -> str:
    """The picture as an element of a page.

    ``name`` is unique on the page, ``kind`` its class. ``title`` and ``description`` are what is read out: the parts of
    the picture are not told one by one, for a table has their numbers.
    """
    ElementTree.register_namespace("", _SVG[1:-1])
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        _lighten(element)
    _drop_empty(root)
    for element in root.iter():
        _join_paths(element)
    _rename(root, name)
    heard = {f"{name}-title": title, f"{name}-description": description}
    for number, (identity, text) in enumerate(heard.items()):
        element = ElementTree.Element(f"{_SVG}{('title', 'desc')[number]}", {"id": identity})
        element.text = text
        root.insert(number, element)
    root.attrib.pop("version", None)
    root.set("class", f"chart {kind}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    root.set("aria-describedby", f"{name}-description")
    return ElementTree.tostring(root, encoding="unicode")


def _lighten(element: ElementTree.Element) -> None:
    for key in _TOLD_BY_THE_PICTURE:
        element.attrib.pop(key, None)
    for key, usual in _DEFAULTS.items():
        if element.get(key) == usual and element.tag != f"{_SVG}g":
            del element.attrib[key]
    for key in ("d", "transform", "x", "y", "x2", "y2"):
        if key in element.attrib:
            element.set(key, _LONG_NUMBER.sub(_shortened, element.attrib[key]))


def _shortened(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _drop_empty(parent: ElementTree.Element) -> None:
    """Remove what is not seen: groups of nothing, frames without a line."""
    for element in list(parent):
        _drop_empty(element)
        is_frame = element.tag == f"{_SVG}path" and not (element.get("stroke") or element.get("fill"))
        is_hidden = element.get("display") == "none"
        if is_hidden or is_frame or (element.tag == f"{_SVG}g" and not len(element)):
            parent.remove(element)


def _join_paths(parent: ElementTree.Element) -> None:
    """Draw neighbouring shapes that look the same as one: thousands of cells are then some lines of text."""
    last: ElementTree.Element | None = None
    for element in list(parent):
        same = last is not None and element.tag == last.tag == f"{_SVG}path" and _looks(element) == _looks(last)
        if same and last is not None:
            last.set("d", last.get("d", "") + element.get("d", ""))
            parent.remove(element)
        else:
            last = element


def _looks(element: ElementTree.Element) -> dict[str, str]:
    return {key: value for key, value in element.attrib.items() if key != "d"}


def _rename(root: ElementTree.Element, name: str) -> None:
    """Identities are the page's: what one picture calls ``clip0`` another calls so too."""
    for element in root.iter():
        if "id" in element.attrib:
            element.set("id", f"{name}-{element.attrib['id']}")
        for key, value in element.attrib.items():
            if "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))
