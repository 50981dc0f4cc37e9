"""The story in a terminal: what changed, what proves it, what was refused, what to do next."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from feilun.demo import Story
from feilun.demo_report import comparison, sentences
from feilun.demo_report.facts import problems, proof
from feilun.demo_report.prose import Prose
from feilun.demo_report.words import Words
from feilun.records import Refusal

_WIDTH = 100  # wider lines are hard to read
_NAMES = 18  # the longest Chinese name of a measure, and an interval fits beside it at 80


def render(story: Story, console: Console, language: str) -> None:
    """Print the story. Raises InputError for a language that it does not speak."""
    say = Words(language)
    parts: list[RenderableType] = [
        Prose(sentences.headline(story, say), "bold"),
        Text(),
        _comparison(story, say),
        Text(),
        _part(say("table.line"), Prose(certificate(story, say))),
        _refusals(story, say),
        _part(say("payback"), Prose("\n".join(sentences.payback(story.payback, say)))),
        _verification(story, say),
        Text(say("next"), style="bold"),
    ]
    console.print()
    _print(console, Group(*parts))
    for name, line in sentences.commands(story):
        _print(console, Padding(Prose(say(f"next.{name}")), (0, 0, 0, 2)))
        # A command is there to be copied: one line, however long.
        console.print(Text(f"     {line}", style="cyan"), soft_wrap=True)
    console.print()
    _print(console, Prose(say("table.simulated"), "dim"))


def _print(console: Console, part: RenderableType) -> None:
    console.print(Padding(part, (0, 1)), width=min(console.width, _WIDTH), highlight=False)


def _comparison(story: Story, say: Words) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(width=_NAMES)
    heads = [head for head in comparison.heads(story, say) if head]
    for _ in heads:
        table.add_column(ratio=1)
    table.add_row("", *(_cell(head, "bold") for head in heads))
    for row in comparison.rows(story, say):
        own = "bold green" if row.of_student else "bold"
        after = [_cell(row.after, own)] if row.after else []
        table.add_row("")
        table.add_row(Prose(row.name), _cell(row.before, "bold"), *after)
    return table


def _cell(cell: comparison.Cell, style: str) -> Prose:
    return Prose("\n".join((cell.figure, *cell.rests_on)), "dim", style)


def certificate(story: Story, say: Words) -> str:
    """The last certificate in one sentence; or that there is none."""
    found = proof(story)
    if found is None:
        return say("table.no_certificate", line=say.percent(story.max_loss))
    held = found.certificate
    return say(
        "table.certificate",
        line=say.percent(held.max_loss),
        confidence=say.percent(1 - held.delta, 2),
        n=say.number(held.served),
        threshold=f"{held.threshold:.3f}",
        coverage=say.percent(held.coverage),
        loss=say.percent(held.loss, 1),
        upper=say.percent(held.loss_upper, 1),
    )


def _refusals(story: Story, say: Words) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True, style="yellow")
    rows.add_column()
    for turn in story.turns:
        if isinstance(turn.verdict, Refusal):
            day = say.day(turn.verdict.at.date())
            rows.add_row(day, Prose(sentences.verdict(turn.verdict, say)))
    return _part(say("table.refusals"), rows if rows.row_count else Text(say("none")))


def _verification(story: Story, say: Words) -> RenderableType:
    style = "red" if problems(story) else ""
    return _part(say("verify"), Prose("\n".join(sentences.verification(story, say)), style))


def _part(title: str, body: RenderableType) -> Group:
    return Group(Text(title, style="bold"), Padding(body, (0, 0, 1, 2)))
