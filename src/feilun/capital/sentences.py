"""What the outlook says in words, for the page and the terminal alike."""

from collections.abc import Iterator

from feilun.capital.allocate import Split
from feilun.capital.bets import Rule, Worth
from feilun.capital.measured import Unit
from feilun.capital.outlook import Outlook
from feilun.capital.words import Words


def headline(found: Outlook, say: Words) -> str:
    """The answer in a sentence."""
    months = {each.share: each.months for each in found.planned.quantiles}
    horizon = found.company.horizon
    return say(
        "headline",
        median=say.months(months[0.5], horizon),
        worst=say.months(months[0.05], horizon),
    )


def go_on(rule: Rule, say: Words) -> str:
    """When a stage is begun."""
    if rule.least is None:
        return say("rule.never")
    return say("rule.least", least=say.amount(rule.least)) if rule.least else say("rule.always")


def of_bet(bet: Worth, say: Words) -> str:
    """What a bet is worth."""
    return say(
        "bet.value",
        name=bet.name,
        value=say.amount(bet.value.mean),
        error=say.amount(1.96 * bet.value.error),
        option=say.amount(max(bet.option, 0.0)),
    )


def of_promise(found: Outlook, split: Split, say: Words) -> str:
    """Whether the promise is kept."""
    plan = found.company.allocation
    if plan is None:
        return ""
    kept = split.probability >= plan.probability
    which = "split.broken" if not split.held else "split.kept" if kept else "split.short"
    return say(
        which,
        months=str(plan.months),
        odds=say.percent(split.probability, 1),
        asked=say.percent(plan.probability),
    )


def of_split(split: Split, grown: Split, say: Words) -> Iterator[str]:
    """What is spent, what it brings, and what more budget would change."""
    yield say(
        "split.net",
        spent=say.amount(split.spent),
        left=say.amount(max(split.budget - split.spent, 0.0)),
        net=say.amount(split.net),
    )
    more = grown.net - split.net
    if more <= 1e-3 * abs(split.net):
        yield say("split.same")
    else:
        yield say("split.more", net=say.amount(more))


def of_unit(unit: Unit, say: Words) -> str:
    """What is known of a task, and whether it was measured."""
    margin, calls = say.money(unit.margin, say.currency), say.number(unit.calls_per_day)
    if unit.first is None or unit.last is None:
        return say("task.assumed", task=unit.task, margin=margin, calls=calls)
    told = say(
        "task.measured",
        task=unit.task,
        first=str(unit.first),
        last=str(unit.last),
        margin=margin,
        error=say.money(1.96 * unit.margin_error, say.currency),
        calls=calls,
        spread=say.number(1.96 * unit.calls_error),
    )
    return " ".join([told, *_beside(unit, say)])


def _beside(unit: Unit, say: Words) -> Iterator[str]:
    if (cost := unit.cost_per_accepted) is not None:
        mid, low, high = (say.money(each, say.currency) for each in (cost.mid, cost.low, cost.high))
        yield say("task.accepted", mid=mid, low=low, high=high)
    if unit.payback_on is not None:
        yield say("task.payback", on=str(unit.payback_on))


def unreasoned(found: Outlook, say: Words) -> str | None:
    """Which figures nobody gave a reason for; None where all have one."""
    bare = [each for each in found.assumptions if not each.why]
    if not bare:
        return None
    places = dict.fromkeys(each.place.rpartition(".")[0] or each.place for each in bare)
    return say(
        "unreasoned",
        count=str(len(bare)),
        all=str(len(found.assumptions)),
        places=say.list(places),
    )
