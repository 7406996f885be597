"""The page in a real browser: what it loads, how it fits, and what a keyboard and a screen reader find in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from navcore.package.report.html.write import write_page

from .chromium import Browser
from .given_records import made, nothing, packed, ranking, record, source
from .large_record import files_behind, large_record
from .missing_extra import drawing

pytestmark = [pytest.mark.chromium, drawing, pytest.mark.slow]
ATTACK = "</script></style></title><svg onload=alert(1)><img src='http://elsewhere.example/x' onerror=alert(1)>"
LONG = "a-format-with-a-name-of-" + "w" * 100


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of forty rows with everything behind them."""
    path = tmp_path_factory.mktemp("page") / "large.html"
    write_page(path, large_record(), files_behind)
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a stranger's package, with names that are long, and names that attack."""
    import attrs
    import numpy as np

    path = tmp_path_factory.mktemp("page") / "hostile.html"
    row = attrs.evolve(made(LONG[:60], 1e-7, 1.0), notes=(ATTACK, "w" * 3000))
    names = {"outputs": np.array([ATTACK]), "comparisons": np.array(["w" * 500])}
    told = record(source(4.0), row, environment={ATTACK: ATTACK}, navcore_version=ATTACK)
    write_page(path, told, lambda place: packed(**names, errors=np.array([[1e-6]])) if "errors" in place else None)
    return path


@pytest.mark.parametrize("name", ["large", "hostile"])
def test_nothing_is_loaded_nothing_runs_and_nothing_is_complained_of(
    browser: Browser, name: str, request: pytest.FixtureRequest
) -> None:
    page: Path = request.getfixturevalue(name)
    browser.open(page)
    assert [one["request"]["url"] for one in browser.told("Network.requestWillBeSent")] == [page.as_uri()]
    told = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening")
    assert browser.told(*told) == []


def test_the_policy_would_be_heard_of(browser: Browser, large: Path, tmp_path: Path) -> None:
    """What the test before looks for is seen where it is: a page with a script and a picture from elsewhere."""
    attacked = tmp_path / "attacked.html"
    picture = "<img src='http://elsewhere.example/x'><script>console.log(1)</script></body>"
    attacked.write_text(large.read_text("utf-8").replace("</body>", picture))
    browser.open(attacked)
    told = " ".join(one["entry"]["text"] for one in browser.told("Log.entryAdded"))
    assert "img-src" in told or "default-src" in told
    assert "script" in told
    assert browser.told("Runtime.consoleAPICalled") == []


@pytest.mark.parametrize("name", ["large", "hostile"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_page_is_wider_than_its_window(
    browser: Browser, name: str, width: int, request: pytest.FixtureRequest
) -> None:
    browser.open(request.getfixturevalue(name), width=width)
    assert browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })") is None
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("window.scrollTo(500, 0), window.scrollX") == 0


VISIBLE = "[...document.querySelectorAll('svg.chart')].filter(one => one.getBoundingClientRect().width)"


@pytest.mark.parametrize(("width", "kind"), [(360, "narrow"), (1280, "wide")])
def test_each_width_has_its_pictures_whose_words_can_be_read(
    browser: Browser, large: Path, width: int, kind: str
) -> None:
    browser.open(large, width=width)
    shown = browser.value(f"{VISIBLE}.map(one => one.getAttribute('class'))")
    assert shown
    assert set(shown) == {f"chart {kind}"}
    heights = browser.value(
        f"{VISIBLE}.flatMap(one => [...one.querySelectorAll('text')]).map(one => one.getBoundingClientRect())"
        ".map(box => Math.min(box.width, box.height)).filter(size => size > 0).length"
    )
    assert heights > 50
    least = browser.value(
        f"Math.min(...{VISIBLE}.map(one => one.getBoundingClientRect().width / one.viewBox.baseVal.width))"
    )
    assert least * 11 >= 9.5, "letters of 11 pixels are scaled to less than 9.5"


@pytest.mark.parametrize("width", [360, 1280])
def test_no_word_of_a_picture_is_cut_off(browser: Browser, large: Path, width: int) -> None:
    browser.open(large, width=width)
    cut = browser.value(
        f"{VISIBLE}.flatMap(one => [...one.querySelectorAll('text')].filter(text => {{"
        " const box = text.getBoundingClientRect(), all = one.getBoundingClientRect();"
        " return box.left < all.left - 3 || box.right > all.right + 3 || box.bottom > all.bottom + 3;"
        " }).map(text => text.textContent))"
    )
    assert cut == []


CONTRASTS = """
(() => {
  const channel = value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = colour => {
    const [red, green, blue] = colour.match(/[0-9.]+/g).map(Number);
    return 0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);
  };
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = {};
  for (const one of document.querySelectorAll('body *')) {
    const words = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!words || !one.getBoundingClientRect().width) continue;
    const style = getComputedStyle(one);
    const ink = one instanceof SVGElement ? style.fill : style.color;
    const [low, high] = [light(ink), light(behind(one))].sort((a, b) => a - b);
    const name = `${one.tagName} ${ink} on ${behind(one)}`;
    found[name] = (high + 0.05) / (low + 0.05);
  }
  return found;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out_in_light_and_dark(browser: Browser, large: Path, scheme: str) -> None:
    browser.open(large, scheme=scheme)
    contrasts = browser.value(CONTRASTS)
    assert len(contrasts) > 5
    assert {name: value for name, value in contrasts.items() if value < 4.5} == {}


def test_it_follows_the_scheme_of_its_reader(browser: Browser, large: Path) -> None:
    papers, inks = set(), set()
    for scheme in ("light", "dark"):
        browser.open(large, scheme=scheme)
        papers.add(browser.value("getComputedStyle(document.body).backgroundColor"))
        inks.add(browser.value(f"getComputedStyle({VISIBLE}[0].querySelector('text')).fill"))
    assert len(papers) == len(inks) == 2


def heard(browser: Browser) -> list[dict[str, Any]]:
    """What a screen reader is told: role, name and properties of each part that it does not pass over."""
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            "about": node.get("description", {}).get("value", ""),
        }
        for node in nodes
        if not node["ignored"]
    ]


def test_a_screen_reader_finds_landmarks_names_and_pictures(browser: Browser, large: Path) -> None:
    browser.open(large)
    told = heard(browser)
    roles = [one["role"] for one in told]
    for landmark in ("main", "navigation", "banner", "contentinfo"):
        assert roles.count(landmark) == 1
    named = [one for one in told if one["role"] in ("image", "region", "navigation", "link", "heading", "table")]
    assert [one for one in named if not one["name"] and one["role"] != "table"] == []
    pictures = [one for one in told if one["role"] == "image"]
    assert len(pictures) == len(browser.value(f"{VISIBLE}.map(one => 1)"))
    assert all(len(one["about"]) > 40 for one in pictures), "what is seen is told"
    assert any(one["name"] == "Speed against error at batch size 1" for one in pictures)
    assert not any(re.fullmatch("graphics-.*", role) for role in roles), (
        "the parts of a picture are not told one by one"
    )


def test_a_keyboard_reaches_everything(browser: Browser, large: Path) -> None:
    browser.open(large, width=360)
    reached: list[list[str]] = []
    for _ in range(100):
        browser.press("Tab")
        here = browser.value("[document.activeElement.tagName, document.activeElement.getAttribute('class') || '']")
        if here in (["BODY", ""], ["A", "skip"]) and reached:
            break  # it went round
        reached.append(here)
    assert reached[0] == ["A", "skip"]
    assert browser.value("getComputedStyle(document.querySelector('.skip')).position") == "absolute"
    assert ["DIV", "scroll"] in reached, "what scrolls can be focused"
    summaries = browser.value("document.querySelectorAll('summary').length")
    assert [name for name, _ in reached].count("SUMMARY") == summaries
    browser.value("document.querySelector('summary').focus()")
    browser.press("Enter")
    assert browser.value("document.querySelector('details').open") is True


def test_the_skip_link_is_seen_when_it_has_the_focus_and_leads_to_the_report(browser: Browser, large: Path) -> None:
    browser.open(large)
    browser.press("Tab")
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    assert browser.value("location.hash") == "#main"


def test_in_print_the_numbers_are_open_and_what_only_a_screen_needs_is_gone(browser: Browser, large: Path) -> None:
    browser.open(large, media="print", scheme="dark")
    seen = "one => one.checkVisibility({ contentVisibilityAuto: true })"
    numbers = browser.value(f"[...document.querySelectorAll('details:not(.broad) table')].map({seen})")
    assert numbers
    assert all(numbers)
    assert not any(browser.value(f"[...document.querySelectorAll('nav, .skip, summary, .broad')].map({seen})"))
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert set(browser.value(f"{VISIBLE}.map(one => one.getAttribute('class'))")) == {"chart wide"}
    assert browser.printed().startswith(b"%PDF-")


def test_a_page_of_one_row_needs_no_more(browser: Browser, tmp_path: Path) -> None:
    ranked = ranking(("onnx", 3.89, 3.83, 3.95))
    write_page(tmp_path / "small.html", record(source(4.0), made("onnx", 0.0, 1.0), ranking=ranked), nothing)
    browser.open(tmp_path / "small.html", width=360)
    assert browser.value("document.querySelector('.sentence').textContent").startswith("Ship onnx in cpu: 3.89 times")
    assert browser.told("Log.entryAdded") == []
