"""The sections of the page, but for the turns. Each is a function of the story."""

from shlex import quote

from feilun.demo import AUDIT_RATE, CORRECTS, TEACHER, WATCH_RATE, Story
from feilun.demo_report import charts, comparison, sentences
from feilun.demo_report.facts import (
    WINDOW,
    Window,
    added,
    calls,
    problems,
    refusals,
    stretches,
    windows,
)
from feilun.demo_report.words import Words
from feilun.page.document import figure, key, section
from feilun.page.markup import Html, el, join
from feilun.page.svg import mark


def before_after(story: Story, say: Words) -> Html:
    """The table of what changed."""
    first, last = comparison.heads(story, say)
    cells = [first, *([last] if last else [])]
    rows = (
        el(
            "tr",
            el("th", row.name, scope="row"),
            *(_cell(cell, "td") for cell in (row.before, row.after) if cell),
            class_="own" if row.of_student else None,
        )
        for row in comparison.rows(story, say)
    )
    head = el(
        "tr",
        el("th", el("span", say("ba.figure"), class_="unseen"), scope="col"),
        *(_cell(cell, "th", scope="col") for cell in cells),
    )
    table = el("table", el("thead", head), el("tbody", *rows), class_="compare")
    note = say("ba.note" if last else "ba.note_refused")
    title = say("ba" if last else "ba.title_refused")
    return section("ba", title, el("div", table, class_="panel"), el("p", note, class_="note"))


def _cell(cell: comparison.Cell, name: str, scope: str | None = None) -> Html:
    small = (el("small", line) for line in cell.rests_on)
    return el(name, el("b", cell.figure), *small, scope=scope)


def served(story: Story, say: Words) -> Html:
    """Chart 1, and its figures."""
    released = any(turn.release for turn in story.turns)
    keys = [
        key("student", say("student")) if released else None,
        key("teacher", say("teacher")),
        key("certificate", say("certified")) if released else None,
        key("refusal", say("refused")) if refusals(story) else None,
    ]
    drawn = figure(charts.served(story, say), say("days.note"), *(entry for entry in keys if entry))
    return section("days", say("days"), drawn, _as_table(story, say))


def accuracy(story: Story, say: Words) -> Html:
    """Chart 2."""
    before, after = stretches(story)
    named = (("before", "before" if after else "all", before), ("after", "after", after))
    means = (
        key(sign, say(f"gold.{name}", mean=say.percent(added(days).accuracy, 1)))
        for sign, name, days in named
        if days
    )
    size = say("gold.window", size=str(WINDOW))
    drawn = figure(
        charts.accuracy(story, say), say("gold.note"), *means, key("day", say("gold.day"))
    )
    return section("gold", f"{say('gold')} · {size}", drawn)


def _as_table(story: Story, say: Words) -> Html:
    names = ("col.days", "col.calls", "col.share", "col.right")
    head = el("tr", *(el("th", say(name), scope="col") for name in names))
    before, after = stretches(story)
    rows = (_window(window, say) for window in [*windows(before), *windows(after)])
    table = el("table", el("thead", head), el("tbody", *rows), class_="plain")
    return el("details", el("summary", say("as_table")), table)


def _window(window: Window, say: Words) -> Html:
    figures = (
        say.number(window.calls),
        say.percent(window.share, 1),
        say.percent(window.accuracy, 1),
    )
    days = say.days(window.days[0].day, window.days[-1].day)
    return el("tr", el("th", days, scope="row"), *(el("td", figure) for figure in figures))


def payback(story: Story, say: Words) -> Html:
    """Whether the wheel has paid for itself."""
    found = story.payback
    first, *more = sentences.payback(found, say)
    amounts = (("saved", found.saved), ("spent", found.spent), ("each", found.teacher_per_call))
    figures = el(
        "dl",
        *(
            _amount(name, say(f"payback.{name}"), say.money(amount, found.currency))
            for name, amount in amounts
        ),
        class_="figures",
    )
    saying = join(el("p", first, class_="say"), *(el("p", line) for line in more))
    body = el("div", saying, _balance(story), figures, class_="panel pad")
    return section("payback", say("payback"), body, el("p", say("payback.note"), class_="note"))


def _amount(kind: str, name: str, money: str) -> Html:
    sign = el("i", class_=f"key key-{kind}", aria_hidden="true")
    return el("div", el("dt", sign, name), el("dd", money))


def _balance(story: Story) -> Html | None:
    """Two bars, saved over spent; the figures beside them say the same in numbers."""
    saved, spent = story.payback.saved, story.payback.spent
    if saved is None or spent is None or not (saved or spent):
        return None
    most = max(saved, spent)
    bars = (("saved", saved), ("spent", spent))
    return el(
        "div",
        *(
            el("i", class_=f"bar key-{kind}", style=f"width:{100 * float(amount / most):.1f}%")
            for kind, amount in bars
        ),
        class_="balance",
        aria_hidden="true",
    )


def pair(name: str, value: str, *small: str) -> Html:
    """A figure under its name."""
    return el("div", el("dt", name), el("dd", value, *(el("small", line) for line in small)))


def verification(story: Story, say: Words) -> Html:
    """What was derived again from the log."""
    first, *wrong = sentences.verification(story, say)
    sign = "refusal" if problems(story) else "certificate"
    drawn = el("svg", mark(sign), viewBox="0 0 16 16", aria_hidden="true", class_="sign")
    body = el(
        "div",
        el("p", drawn, first, class_="say"),
        *(el("p", line, class_="wrong") for line in wrong),
        el("p", say("verify.own")),
        command(f"feilun verify --store {quote(str(story.folder))}"),
        class_="panel pad",
    )
    return section("verify", say("verify"), body)


def origin(story: Story, say: Words) -> Html:
    """What was written, recorded, simulated and real."""
    places = {
        "calls": say.number(calls(story)),
        "teacher": TEACHER.partition(":")[2],
        "corrects": say.percent(CORRECTS),
        "corrections": say.number(story.corrections),
        "audit_rate": say.percent(AUDIT_RATE),
        "watch_rate": say.percent(WATCH_RATE),
    }
    names = ("written", "recorded", "simulated", "real", "tariff")
    entries = (
        el(
            "div",
            el("dt", say(f"origin.{name}")),
            el("dd", say(f"origin.{name}_say", **places)),
        )
        for name in names
    )
    return section("origin", say("origin"), el("dl", *entries, class_="panel origin"))


def next_steps(story: Story, say: Words) -> Html:
    """Three commands."""
    steps = (
        el("li", el("p", say(f"next.{name}")), command(line))
        for name, line in sentences.commands(story)
    )
    return section("next", say("next"), el("ol", *steps, class_="panel steps"))


def command(line: str) -> Html:
    """A line for the shell."""
    return el("pre", el("code", line), tabindex=0)
