"""The document: one HTML file that needs nothing else, now or in ten years."""

from pathlib import Path

from feilun.page.markup import Child, Html, el, join
from feilun.page.svg import mark
from feilun.page.words import Words

_STYLE = Path(__file__).parent / "style.css"


def document(say: Words, title: str, head: Html, *parts: Child, style: str = "") -> str:
    """A page as text: its head below the mark, its sections, and what style it adds."""
    whole = el(
        "html",
        el(
            "head",
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("title", title),
            el("style", Html("\n" + _STYLE.read_text(encoding="utf-8") + style)),
        ),
        el("body", el("header", _brand(say), head), el("main", *parts)),
        lang=say.tag,
    )
    return f"<!doctype html>\n{whole}\n"


def heading(kicker: str, title: str, lede: str) -> Html:
    """What the page opens with: where it is from, what it says, and how."""
    return join(el("p", kicker, class_="kicker"), el("h1", title), el("p", lede, class_="lede"))


def section(id: str, title: str, *children: Child) -> Html:
    """A part of the page under its heading."""
    return el("section", el("h2", title, id=id), *children, aria_labelledby=id)


def key(kind: str, words: str) -> Html:
    """One entry of a legend: a sign and its word."""
    if kind in ("certificate", "refusal"):
        sign = el("svg", mark(kind), viewBox="0 0 16 16", aria_hidden="true", class_="sign")
    else:
        sign = el("i", class_=f"key key-{kind}", aria_hidden="true")
    return el("li", sign, words)


def figure(chart: Html, note: str, *keys: Html) -> Html:
    """A chart with its legend and a line on how to read it."""
    return el(
        "figure", el("ul", *keys, class_="legend"), chart, el("figcaption", note), class_="panel"
    )


def _brand(say: Words) -> Html:
    """The mark, a wheel that has an opening, and the name."""
    wheel = el(
        "svg",
        join(
            el("path", d="M13.9 3.2 A8 8 0 1 1 6.1 3.2", class_="rim"),
            el("circle", cx=10, cy=10, r=2.6, class_="hub"),
        ),
        viewBox="0 0 20 20",
        aria_hidden="true",
    )
    return el("p", wheel, el("span", say("brand")), class_="brand")
