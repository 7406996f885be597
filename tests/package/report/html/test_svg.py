"""A rendered chart as a part of the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from navcore.package.report.html.svg import embedded

PICTURE = """
<svg xmlns="http://www.w3.org/2000/svg" version="1.1" class="marks" width="20" height="10" viewBox="0 0 20 10">
<defs><clipPath id="clip0"><path d="M0,0h9v9h-9Z" fill="red"/></clipPath></defs>
<g role="graphics-object" aria-label="group" clip-path="url(#clip0)">
<path class="background" d="M0,0h1v1h-1Z"/>
<path aria-label="a: 1" role="graphics-symbol" d="M0.123456,0h1v1h-1Z" fill="var(--heat1)"/>
<path aria-label="a: 2" role="graphics-symbol" d="M2,0h1v1h-1Z" fill="var(--heat1)"/>
<path d="M4,0h1v1h-1Z" fill="var(--heat2)"/><g></g><text font-family="sans-serif">1 &lt; 2</text>
</g></svg>"""
SVG = "{http://www.w3.org/2000/svg}"


def picture(title: str = "A title", description: str = "What is seen.") -> ElementTree.Element:
    text = embedded(PICTURE, name="speed-0-wide", kind="wide", title=title, description=description)
    return ElementTree.fromstring(text)


def test_it_is_one_picture_with_a_name_and_a_description() -> None:
    root = picture()
    assert root.get("role") == "img"
    assert root.get("class") == "chart wide"
    heard = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert heard[root.get("aria-labelledby")] == "A title"
    assert heard[root.get("aria-describedby")] == "What is seen."
    assert not [one for one in root.iter() if one is not root and (one.get("role") or one.get("aria-label"))]


def test_shapes_that_look_the_same_are_one_and_numbers_are_short() -> None:
    cells = [path.get("d") for path in picture().iter(f"{SVG}path") if "heat" in path.get("fill", "")]
    assert cells == ["M0.1,0h1v1h-1ZM2,0h1v1h-1Z", "M4,0h1v1h-1Z"]


def test_what_is_not_seen_is_gone_and_what_is_written_stays() -> None:
    root = picture()
    assert not [one for one in root.iter(f"{SVG}g") if not len(one)]
    assert [one.text for one in root.iter(f"{SVG}text")] == ["1 < 2"]


def test_two_pictures_of_a_page_share_no_identity() -> None:
    root = picture()
    (group,) = [one for one in root.iter() if one.get("clip-path")]
    assert group.get("clip-path") == "url(#speed-0-wide-clip0)"
    assert [one for one in root.iter() if one.get("id") == "speed-0-wide-clip0"]


def test_words_of_strangers_are_escaped() -> None:
    text = embedded(PICTURE, name="x", kind="wide", title="</title><script>", description="<img onerror=x>")
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"<!--|<!\[CDATA", text)
