"""The page as text: nothing of a stranger's is obeyed, every part has a name, and it stays light."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from html.parser import HTMLParser

import attrs
import pytest

from navcore.package.report.html.content import content_of
from navcore.workspace.results import FormatResult
from navcore.workspace.status.record import Record

from .given_records import broken, made, nothing, ranking, record, source
from .large_record import files_behind, large_record
from .missing_extra import drawing

pytestmark = drawing
VOID = {"meta", "br", "wbr", "img", "link", "input", "hr"}
ATTACKS = (
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</style><style>*{display:none}</style>",
    "</title></svg><svg onload=alert(1)>", '" onmouseover="alert(1)', "javascript:alert(1)", "{{ 7 * 7 }}", "{% raw %}",
    "<!-- ", "]]>", "&lt;b&gt;", "\u202egnp.exe", "'; url(http://evil.example/x)",
)  # fmt: skip


class Elements(HTMLParser):
    """The elements of a page in their order, with their texts; it refuses what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self.open: list[tuple[str, list[str]]] = []
        self.feed(page)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        texts: list[str] = []
        self.found.append((tag, {name: value or "" for name, value in given}, texts))
        if tag not in VOID:
            self.open.append((tag, texts))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_startendtag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in given}, []))

    def handle_data(self, data: str) -> None:
        for _, texts in self.open:
            texts.append(data)

    def of(self, *tags: str) -> list[tuple[dict[str, str], str]]:
        return [(given, " ".join("".join(texts).split())) for tag, given, texts in self.found if tag in tags]


def page(of: Record, read: object = nothing) -> str:
    from navcore.package.report.html.page import page_of

    return page_of(content_of(of, read))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def large() -> str:
    return page(large_record(), files_behind)


def hostile(attack: str) -> Record:
    """A record that says the same strange thing wherever it may say something in words."""
    row = attrs.evolve(made("onnx", 1e-7, 1.0), notes=(attack,), facts={attack: attack})
    failed = broken("pt2", attack, frame=attack, hint=attack)
    return record(
        source(4.0),
        row,
        failed,
        ranking=attrs.evolve(ranking(("onnx", 4, 3.9, 4.1)), machine=attack),
        environment={attack: attack, "cpu": {"name": attack}},
        git_info={"repository": attack, "commit": attack},
        navcore_version=attack,
        timestamp=attack,
        uuid=attack,
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_package_says_is_text_and_nothing_else(attack: str) -> None:
    harmless = Elements(page(hostile("harmless")))
    attacked = Elements(page(hostile(attack)))
    assert [tag for tag, _, _ in attacked.found] == [tag for tag, _, _ in harmless.found]
    assert [sorted(given) for _, given, _ in attacked.found] == [sorted(given) for _, given, _ in harmless.found]
    shown = attack.replace("\u202e", "?")
    assert any(shown in text for _, text in attacked.of("p")), "it is told, all the same"


@pytest.mark.parametrize("attack", ATTACKS)
def test_names_in_files_behind_it_are_text_too(attack: str) -> None:
    import numpy as np

    from .given_records import packed

    def read(place: str) -> bytes | None:
        names = {"outputs": np.array([attack]), "comparisons": np.array([attack])}
        return packed(**names, errors=np.array([[1e-6]])) if place.endswith(".errors.npz") else None

    elements = Elements(page(record(made("onnx", 1e-6, 1.0)), read))
    tags = {tag for tag, _, _ in elements.found}
    assert not {"script", "img", "iframe", "object", "link", "foreignobject", "animate", "use", "image"} & tags
    assert not [name for _, given, _ in elements.found for name in given if name.startswith("on")]
    assert attack.replace("\u202e", "?") in " ".join(text for _, text in elements.of("caption", "td", "th"))


def test_a_policy_forbids_scripts_and_everything_from_elsewhere(large: str) -> None:
    elements = Elements(large)
    (policy,) = [
        given["content"] for given, _ in elements.of("meta") if given.get("http-equiv") == "Content-Security-Policy"
    ]
    style = re.search(r"<style>(.*?)</style>", large, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    for tag, given, _ in elements.found:
        assert tag not in {"script", "link", "img", "iframe", "form"}
        assert not {"style", "src", "srcset", "action", "xlink:href"} & set(given), f"{tag} has {given}"
        assert tag != "a" or given["href"].startswith("#")
    assert "@import" not in style[1]
    assert "url(" not in style[1]


def test_headings_come_in_order_and_what_is_linked_is_there(large: str) -> None:
    elements = Elements(large)
    levels = [int(tag[1]) for tag, _, _ in elements.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    identities = [given["id"] for _, given, _ in elements.found if "id" in given]
    assert len(identities) == len(set(identities)), "two elements share an id"
    referred = [given["href"][1:] for given, _ in elements.of("a")]
    for _, given, _ in elements.found:
        referred += [name for key in ("aria-labelledby", "aria-describedby") for name in given.get(key, "").split()]
    assert set(referred) <= set(identities)


def test_every_table_has_a_name_and_heads_and_every_region_can_be_focused(large: str) -> None:
    elements = Elements(large)
    for given, text in elements.of("th"):
        assert given["scope"] in ("col", "row", "rowgroup"), text
    regions = [given for given, _ in elements.of("div") if given.get("role") == "region"]
    assert len(regions) == len(elements.of("table"))
    for region in regions:
        assert region["tabindex"] == "0"
        assert region.get("aria-label") or region.get("aria-labelledby")


def test_every_chart_is_one_picture_with_the_same_numbers_below(large: str) -> None:
    elements = Elements(large)
    pictures = [given for given, _ in elements.of("svg")]
    figures = elements.of("figure")
    assert len(pictures) == 2 * len(figures)
    assert {given["class"] for given in pictures} == {"chart wide", "chart narrow"}
    assert all(given["role"] == "img" and given["aria-labelledby"] and given["aria-describedby"] for given in pictures)
    assert len(elements.of("details")) >= len(figures)


def test_forty_rows_and_a_hundred_samples_are_less_than_a_megabyte(large: str) -> None:
    rows = [row for row in large_record().results if not row.live]
    assert len(rows) == 40
    assert len(large.encode()) < 1_000_000
    assert large.count("correctness sample 99") >= 1, "all hundred are there"


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ((), {"table", "failures", "environment", "reproduce"}),
        ((source(4.0),), {"table", "failures", "environment", "reproduce"}),
        ((source(4.0), broken("onnx", "no")), {"table", "failures", "environment", "reproduce"}),
        ((source(4.0), made("onnx", 0.0, 1.0)), {"table", "speed", "failures", "environment", "reproduce"}),
    ],
)
def test_a_part_without_content_is_not_there(rows: tuple[FormatResult, ...], parts: set[str]) -> None:
    elements = Elements(page(record(*rows)))
    assert {given["id"] for given, _ in elements.of("section") if "id" in given} == parts
    assert {given["href"][1:] for given, _ in elements.of("a")} == parts | {"main"}


@pytest.mark.parametrize("errors", [(0.0, 0.0), (1e-7, 0.0), (1e-7, 1e-7), (3e-9, 2e-3)])
@pytest.mark.parametrize("latencies", [(1.0, 1.0), (0.001, 5000.0)])
def test_any_numbers_can_be_drawn(errors: tuple[float, float], latencies: tuple[float, float]) -> None:
    rows = [made(f"format-{number}", *pair) for number, pair in enumerate(zip(errors, latencies, strict=True))]
    assert page(record(*rows)).count("<svg") == 2
