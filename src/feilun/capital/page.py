"""The report: the page that a founder, a board or a bank reads."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from feilun.capital import charts, sentences
from feilun.capital.bets import Worth
from feilun.capital.outlook import Outlook
from feilun.capital.words import Words
from feilun.errors import InputError
from feilun.page.document import document, figure, heading, key, section
from feilun.page.markup import Child, Html, el, join

_STYLE = Path(__file__).parent / "style.css"


def write_page(found: Outlook, path: Path, language: str) -> None:
    """Write the report. Raises InputError for a place or a language that cannot be used."""
    text = page(found, Words(language, found.company.currency))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}). Name another.") from error


def page(found: Outlook, say: Words) -> str:
    """The report as text. It needs nothing else."""
    head = heading(
        say("kicker", on=str(found.company.cash.on), draws=say.number(found.planned.draws),
            seed=str(found.seed)),
        sentences.headline(found, say),
        say("lede", cash=say.amount(found.company.cash.amount)),
    )  # fmt: skip
    style = _STYLE.read_text(encoding="utf-8")
    return document(say, say("title"), head, *_sections(found, say), style=style)


def _sections(found: Outlook, say: Words) -> Iterator[Html]:
    yield section("cash", say("fan"), _fan(found, say))
    yield section("runway", say("runway"), el("div", _runway(found, say), class_="panel pad"))
    if found.drivers:
        yield section("drivers", say("drivers"), _tornado(found, say))
    if found.split is not None:
        budget = say.amount(found.split.budget)
        yield section("split", say("split", budget=budget), _split(found, say))
    if found.bets:
        yield section("bets", say("bets"), *(_bet(each, say) for each in found.bets))
    if found.units:
        lines = (el("p", sentences.of_unit(unit, say)) for unit in found.units)
        yield section("tasks", say("tasks"), el("div", *lines, class_="panel pad"))
    yield section("assumptions", say("assumptions"), _assumptions(found, say))


def _fan(found: Outlook, say: Words) -> Html:
    keys = [("90", "fan.90"), ("50", "fan.50"), ("mid", "fan.mid")]
    if found.after is not None:
        keys.append(("spent", "fan.after"))
    entries = (key(kind, say(name)) for kind, name in keys)
    return figure(charts.fan(found, say), say("fan.note"), *entries)


def _tornado(found: Outlook, say: Words) -> Html:
    keys = (key(kind, say(kind)) for kind in ("bad", "good", "tenth"))
    shown = ("", say("bad"), say("good"), say("tenth"))
    rows = (
        (each.name, f"{each.at_p10:.1f}", f"{each.at_p90:.1f}",
         f"{each.tenth_worse:.1f} – {each.tenth_better:.1f}")
        for each in found.drivers
    )  # fmt: skip
    listed = el("details", el("summary", say("list")), _table(shown, rows))
    return join(figure(charts.tornado(found, say), say("drivers.note"), *keys), listed)


def _runway(found: Outlook, say: Words) -> Html:
    runs = [run for run in (found.planned, found.after) if run is not None]
    rows: list[tuple[Child, ...]] = []
    for months in zip(*(run.quantiles for run in runs), strict=True):
        name = say("quantile", share=say.percent(months[0].share))
        rows.append((name, *(say.months(each.months, found.company.horizon) for each in months)))
    for odds in zip(*(run.lasts for run in runs), strict=True):
        cells = (
            join(say.percent(each.probability, 1), " ", _error((each.high - each.low) / 2))
            for each in odds
        )
        rows.append((say("lasts", months=str(odds[0].months)), *cells))
    return _table(("", say("planned"), say("after"))[: len(runs) + 1], rows)


def _error(points: float) -> Html:
    return el("small", f"± {100 * points:.1f}")


def _split(found: Outlook, say: Words) -> Html:
    split, grown = found.split, found.grown
    if split is None or grown is None:
        return Html()
    rows: list[tuple[Child, ...]] = [
        (now.name, say.amount(now.amount), say.amount(now.worth), f"{now.marginal:.2f}",
         say.amount(then.amount))
        for now, then in zip(split.shares, grown.shares, strict=True)
    ]  # fmt: skip
    for bet in found.bets:
        cost = bet.rules[0].cost
        begun, later = (bet.name in each.bets for each in (split, grown))
        name = say("split.bet" if begun else "split.no_bet", name=bet.name)
        paid, then = (say.amount(cost if each else 0.0) for each in (begun, later))
        rows.append((name, paid, say.amount(bet.value.mean), "", then))
    heads = [say(f"split.{name}") for name in ("name", "amount", "worth", "marginal", "grown")]
    return el(
        "div",
        el("p", sentences.of_promise(found, split, say), class_="say"),
        *(el("p", words) for words in sentences.of_split(split, grown, say)),
        _table(heads, rows),
        class_="panel pad",
    )


def _bet(bet: Worth, say: Words) -> Html:
    rows = (
        (rule.stage, str(rule.month), say.amount(rule.cost), sentences.go_on(rule, say),
         say.percent(rule.reached))
        for rule in bet.rules
    )  # fmt: skip
    heads = [say(f"rule.{name}") for name in ("stage", "month", "cost", "go", "reached")]
    scale = None if bet.scale_from is None else say(
        "rule.scale", least=say.amount(bet.scale_from)
    )  # fmt: skip
    return el(
        "div",
        el("p", sentences.of_bet(bet, say), class_="say"),
        _table(heads, rows),
        None if scale is None else el("p", scale, class_="note"),
        class_="panel pad",
    )


def _assumptions(found: Outlook, say: Words) -> Html:
    bare = sentences.unreasoned(found, say)
    heads = [say(f"assumption.{name}") for name in ("place", "value", "why")]
    rows = (
        (each.place, each.value, each.why or el("span", say("assumption.none"), class_="bare"))
        for each in found.assumptions
    )
    return el(
        "div",
        None if bare is None else el("p", bare, class_="note bare"),
        _table(heads, rows, words=(2,)),
        class_="panel pad",
    )


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[Child]], words: Sequence[int] = ()
) -> Html:
    """A table; the columns in `words` hold sentences."""

    def kind(number: int) -> str | None:
        return "words" if number in words else None

    names = (el("th", name, scope="col", class_=kind(n)) for n, name in enumerate(heads))
    body = (
        el(
            "tr",
            el("th", row[0], scope="row"),
            *(el("td", cell, class_=kind(n)) for n, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    )
    return el("table", el("thead", el("tr", *names)), el("tbody", *body), class_="lines")
