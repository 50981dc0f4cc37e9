"""The outlook in the terminal: small tables, a fan of cash in blocks, and its sentences."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from feilun.capital import sentences
from feilun.capital.outlook import Outlook
from feilun.capital.words import Words

_BLOCKS = "▁▂▃▄▅▆▇█"


def render(found: Outlook, language: str) -> Group:
    """Everything that a person decides by. The assumptions are on the page and in the JSON."""
    say = Words(language, found.company.currency)
    return Group(*_parts(found, say))


def _parts(found: Outlook, say: Words) -> Iterator[RenderableType]:
    yield Text(sentences.headline(found, say), "bold")
    yield _runway(found, say)
    yield _fan(found, say)
    yield _drivers(found, say)
    for unit in found.units:
        yield Text(sentences.of_unit(unit, say))
    for bet in found.bets:
        yield Text(sentences.of_bet(bet, say))
        table = Table(
            *(say(f"rule.{name}") for name in ("stage", "month", "cost", "go", "reached"))
        )
        for rule in bet.rules:
            table.add_row(
                Text(rule.stage), str(rule.month), say.amount(rule.cost),
                sentences.go_on(rule, say), say.percent(rule.reached),
            )  # fmt: skip
        yield table
        if bet.scale_from is not None:
            yield Text(say("rule.scale", least=say.amount(bet.scale_from)))
    yield from _split(found, say)
    if bare := sentences.unreasoned(found, say):
        yield Text(bare, "yellow")


def _runway(found: Outlook, say: Words) -> Table:
    each = [run for run in (found.planned, found.after) if run is not None]
    heads = (say("planned"), say("after"))[: len(each)]
    table = Table("", *heads, title=say("runway"), title_justify="left")
    for rows in zip(*(run.quantiles for run in each), strict=True):
        cells = (say.months(row.months, found.company.horizon) for row in rows)
        table.add_row(say("quantile", share=say.percent(rows[0].share)), *cells)
    for odds in zip(*(run.lasts for run in each), strict=True):
        cells = (
            f"{say.percent(row.probability, 1)} ± {100 * (row.high - row.low) / 2:.1f}"
            for row in odds
        )
        table.add_row(say("lasts", months=str(odds[0].months)), *cells)
    return table


def _fan(found: Outlook, say: Words) -> Table:
    """A line of blocks for each of the 95th, 50th and 5th percentiles; a dot is below zero."""
    table = Table.grid(padding=(0, 1))
    fan = found.planned.fan
    most = max(float(fan.max()), 1.0)
    for share, row in ((0.95, fan[4]), (0.5, fan[2]), (0.05, fan[0])):
        blocks = "".join(_block(float(value) / most) for value in row)
        table.add_row(f"p{100 * share:g}", blocks, say.amount(float(row[-1])))
    table.add_row("", f"{say('fan')}: 0 – {found.company.horizon} {say('months')}")
    return table


def _block(share: float) -> str:
    return "·" if share < 0 else _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]


def _drivers(found: Outlook, say: Words) -> Table:
    table = Table(
        "", say("bad"), say("good"), say("tenth"), title=say("drivers"), title_justify="left"
    )
    for each in found.drivers[:8]:
        table.add_row(
            Text(each.name),
            *(f"{value:.1f}" if each.swing else "" for value in (each.at_p10, each.at_p90)),
            f"{each.tenth_worse:.1f} – {each.tenth_better:.1f}",
        )
    return table


def _split(found: Outlook, say: Words) -> Iterator[RenderableType]:
    if found.split is None or found.grown is None:
        return
    title = say("split", budget=say.amount(found.split.budget))
    table = Table(
        *(say(f"split.{name}") for name in ("name", "amount", "worth", "marginal", "grown")),
        title=title,
        title_justify="left",
    )
    for now, then in zip(found.split.shares, found.grown.shares, strict=True):
        table.add_row(
            Text(now.name), say.amount(now.amount), say.amount(now.worth), f"{now.marginal:.2f}",
            say.amount(then.amount),
        )  # fmt: skip
    for bet in found.bets:
        begun, later = (bet.name in split.bets for split in (found.split, found.grown))
        words = say("split.bet" if begun else "split.no_bet", name=bet.name)
        cost = bet.rules[0].cost
        table.add_row(
            Text(words), say.amount(cost if begun else 0), say.amount(bet.value.mean), "",
            say.amount(cost if later else 0),
        )  # fmt: skip
    yield table
    yield Text(sentences.of_promise(found, found.split, say))
    for line in sentences.of_split(found.split, found.grown, say):
        yield Text(line)
