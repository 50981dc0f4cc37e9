"""The report: one HTML file that needs nothing else, now or in ten years."""

from collections.abc import Callable
from pathlib import Path

from feilun.demo import Story
from feilun.demo_report import sections, turns
from feilun.demo_report.markup import Html, el, join
from feilun.demo_report.sentences import headline, lede
from feilun.demo_report.words import Words

_STYLE = Path(__file__).parent / "style.css"

_SECTIONS: tuple[Callable[[Story, Words], Html | None], ...] = (
    sections.before_after,
    sections.served,
    sections.accuracy,
    turns.proof,
    turns.turns,
    sections.payback,
    sections.verification,
    sections.origin,
    sections.next_steps,
)


def write_page(story: Story, path: Path, language: str) -> None:
    """Write the report. Raises InputError for a language that it does not speak."""
    path.write_text(page(story, Words(language)), encoding="utf-8")


def page(story: Story, say: Words) -> str:
    """The report as text. No script, no font, no picture and no link from elsewhere."""
    document = el("html", _head(story, say), _body(story, say), lang=say.tag)
    return f"<!doctype html>\n{document}\n"


def _head(story: Story, say: Words) -> Html:
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", say("title", task=story.task)),
        el("style", Html("\n" + _STYLE.read_text(encoding="utf-8"))),
    )


def _body(story: Story, say: Words) -> Html:
    return el(
        "body",
        el(
            "header",
            el("p", _wheel(), el("span", say("brand")), class_="brand"),
            el("p", _kicker(story, say), class_="kicker"),
            el("h1", headline(story, say)),
            el("p", lede(story, say), class_="lede"),
        ),
        el("main", *(part(story, say) for part in _SECTIONS)),
    )


def _kicker(story: Story, say: Words) -> str:
    days = say.dates(story.days[0].day, story.days[-1].day)
    return say("kicker", task=story.task, days=days)


def _wheel() -> Html:
    """The mark: a wheel that has an opening, and its hub."""
    return el(
        "svg",
        join(
            el("path", d="M13.9 3.2 A8 8 0 1 1 6.1 3.2", class_="rim"),
            el("circle", cx=10, cy=10, r=2.6, class_="hub"),
        ),
        viewBox="0 0 20 20",
        aria_hidden="true",
    )
