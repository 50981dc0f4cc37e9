"""The before/after table as rows of cells: the page and the terminal only draw them."""

from collections.abc import Callable
from dataclasses import dataclass

from feilun.demo import Story
from feilun.demo_report.words import Words
from feilun.figures import Period
from feilun.watch import Risk


@dataclass(frozen=True)
class Cell:
    """A figure, and in small what it rests on."""

    figure: str
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One measure, before and after. `after` is None where there was no release."""

    name: str
    before: Cell
    after: Cell | None
    of_student: bool  # the student's own, as against what all answers share


def heads(story: Story, say: Words) -> tuple[Cell, Cell | None]:
    """What the two columns are: title, and in small who answered and when."""
    before, after = story.before, story.after
    title = "ba.before" if after else "ba.now"
    return (
        Cell(say(title), (say("ba.who_before"), *_when(before, say))),
        Cell(say("ba.after"), (say("ba.who_after"), *_when(after, say))) if after else None,
    )


def _when(found: Period, say: Words) -> tuple[str, str]:
    return (
        say.days(found.first.date(), found.last.date()),
        say("ba.calls", calls=say.number(found.calls)),
    )


def rows(story: Story, say: Words) -> list[Row]:
    """Accuracy, share, cost, latency and the loss of the student's answers."""
    measures: list[tuple[str, Callable[[Period], Cell]]] = [
        ("ba.accuracy", lambda found: _accuracy(found.risk, say)),
        ("ba.share", lambda found: Cell(_share(found.student_share, say))),
        ("ba.cost", lambda found: _cost(found, story.currency, say)),
        ("ba.latency", lambda found: Cell(say.seconds(found.p50_seconds))),
        ("ba.loss", lambda found: _loss(found, story.max_loss, say)),
    ]
    return [
        Row(
            say(name),
            cell(story.before),
            cell(story.after) if story.after else None,
            of_student=name in ("ba.share", "ba.loss"),
        )
        for name, cell in measures
    ]


def _share(share: float, say: Words) -> str:
    return say.percent(share, 1 if share else 0)


def _accuracy(found: Risk | None, say: Words) -> Cell:
    if found is None:
        return Cell(say("unknown"))
    return _judged(1 - found.mean, 1 - found.high, 1 - found.low, found.audits, say)


def _loss(found: Period, line: float, say: Words) -> Cell:
    risk = found.student_risk
    if risk is None:
        why = "ba.unaudited" if found.student_share else "ba.no_student"
        return Cell(say("none"), (say(why),))
    cell = _judged(risk.mean, risk.low, risk.high, risk.audits, say)
    return Cell(cell.figure, (*cell.rests_on, say("ba.line", line=say.percent(line))))


def _judged(mean: float, low: float, high: float, audits: int, say: Words) -> Cell:
    interval = say("ba.interval", interval=say.interval(low, high))
    return Cell(say.percent(mean, 1), (interval, say("ba.audits", audits=say.number(audits))))


def _cost(found: Period, currency: str, say: Words) -> Cell:
    if found.cost is None:
        return Cell(say("unknown"), (say("ba.unpriced"),))
    wheel = say.money(found.wheel_cost, currency)
    return Cell(say.money(found.cost, currency), (say("ba.wheel", cost=wheel),))
