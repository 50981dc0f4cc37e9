"""The report: one HTML file that needs nothing else, now or in ten years."""

from collections.abc import Callable
from pathlib import Path

from feilun.demo import Story
from feilun.demo_report import sections, turns
from feilun.demo_report.sentences import headline, lede
from feilun.demo_report.words import Words
from feilun.page.document import document, heading
from feilun.page.markup import Html

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
    head = heading(_kicker(story, say), headline(story, say), lede(story, say))
    parts = (part(story, say) for part in _SECTIONS)
    return document(say, say("title", task=story.task), head, *parts)


def _kicker(story: Story, say: Words) -> str:
    days = say.dates(story.days[0].day, story.days[-1].day)
    return say("kicker", task=story.task, days=days)
