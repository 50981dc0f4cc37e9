"""The last verdict in full, and every turn of the wheel as a row that folds into a card."""

from feilun.apps.daily.tasks import category
from feilun.demo import Story
from feilun.demo_report import proof_chart, sentences
from feilun.demo_report.facts import proof as proven
from feilun.demo_report.facts import spent
from feilun.demo_report.sections import pair
from feilun.demo_report.words import Words
from feilun.house import Turn
from feilun.page.document import figure, key, section
from feilun.page.markup import Html, el, join
from feilun.page.svg import mark
from feilun.records import Certificate, Refusal


def proof(story: Story, say: Words) -> Html | None:
    """The last certificate, or the last refusal, beside its chart. None without a turn."""
    found = proven(story)
    if found:
        return _proof(found.turn, "proof", _certificate(found.certificate, say), say)
    if not story.turns:
        return None
    last = story.turns[-1]
    return _proof(last, "proof.refused", _refusal(last.verdict, say), say)


def _proof(turn: Turn, title: str, facts: Html, say: Words) -> Html:
    certified = isinstance(turn.verdict, Certificate)
    keys = [key("curve", say("expected.curve"))]
    if certified:
        keys.append(key("point", say("expected.point")))
    elif isinstance(turn.verdict, Refusal) and turn.verdict.loss is not None:
        keys.append(key("cross", say("expected.tested")))
    note = say("expected.note" if certified else "expected.note_refused")
    axes = el("p", "↑ ", say("expected.y"), "  → ", say("expected.x"), class_="axes")
    chart = figure(join(proof_chart.verdict(turn, say), axes), note, *keys)
    return section("proof", say(title), el("div", facts, chart, class_="split"))


def _certificate(found: Certificate, say: Words) -> Html:
    sentence = say(
        "proof.sentence",
        threshold=f"{found.threshold:.3f}",
        line=say.percent(found.max_loss),
        confidence=say.percent(1 - found.delta, 2),
    )
    coverage = say.interval(found.coverage_low, found.coverage_high, 0)
    upper = say("proof.upper", upper=say.percent(found.loss_upper, 1))
    return _facts(
        sentence,
        pair(say("proof.bound"), say.percent(found.max_loss), say(f"proof.{found.bounds}")),
        pair(say("proof.confidence"), say.percent(1 - found.delta, 2)),
        pair(say("proof.loss"), say.percent(found.loss, 1), upper),
        pair(
            say("proof.coverage"),
            say.percent(found.coverage),
            say("ba.interval", interval=coverage),
        ),
        pair(
            say("proof.n"),
            say.number(found.served),
            say("proof.of", audits=say.number(found.audits)),
        ),
        pair(say("proof.threshold"), f"{found.threshold:.3f}"),
    )


def _refusal(found: Certificate | Refusal, say: Words) -> Html:
    lost = missing = cost = None
    if isinstance(found, Refusal):
        lost, missing, cost = found.loss, found.missing_audits, found.missing_cost
    look = (
        say("proof.look_spent", delta=say.percent(found.delta, 2))
        if found.delta
        else say("proof.look_kept")
    )
    return _facts(
        sentences.verdict(found, say),
        pair(say("red_line"), say.percent(found.max_loss), say(f"proof.{found.bounds}")),
        pair(say("turn.audits"), say.number(found.audits)),
        pair(say("proof.loss"), say("none") if lost is None else say.percent(lost, 1)),
        pair(say("proof.look"), str(found.attempt), look),
        pair(say("proof.missing"), say("none") if missing is None else say.number(missing)),
        pair(say("proof.cost"), say.money(cost.amount, cost.currency) if cost else say("unknown")),
    )


def _facts(sentence: str, *pairs: Html) -> Html:
    return el(
        "div", el("p", sentence, class_="say"), el("dl", *pairs, class_="figures"),
        class_="panel pad",
    )  # fmt: skip


def turns(story: Story, say: Words) -> Html:
    """Every turn: date, verdict in words, and what the verdict rests on."""
    head = el(
        "tr",
        *(el("th", say(f"turn.{name}"), scope="col", role="columnheader") for name in _COLUMNS),
        role="row",
    )
    rows = (_turn(number, turn, say) for number, turn in enumerate(story.turns, start=1))
    table = el(
        "table",
        el("thead", head, role="rowgroup"),
        el("tbody", *rows, role="rowgroup"),
        class_="turns",
        role="table",
        aria_labelledby="turns",
    )
    note = say(
        "turns.note",
        spent=say.percent(spent(story), 2),
        budget=say.percent(1 - category.red_line.confidence, 0),
    )
    return section(
        "turns", say("turns"), el("div", table, class_="panel"), el("p", note, class_="note")
    )


_COLUMNS = (
    "number", "date", "verdict", "learnt", "audits", "bound", "confidence", "n", "loss",
    "threshold", "coverage", "delta",
)  # fmt: skip


def _turn(number: int, turn: Turn, say: Words) -> Html:
    found = turn.verdict
    word = say("certified" if isinstance(found, Certificate) else "refused")
    sign = el("svg", mark(found.kind), viewBox="0 0 16 16", aria_hidden="true", class_="sign")
    verdict = (el("b", sign, word), el("small", sentences.verdict(found, say)))
    looked = found.delta > 0
    bound = f"≤ {say.percent(found.max_loss)}"
    cells = (
        _cell("number", say, str(number)),
        _cell("date", say, say.day(found.at.date())),
        _cell("verdict", say, *verdict),
        _cell("learnt", say, say.number(turn.dataset.train)),
        _cell("audits", say, say.number(found.audits)),
        _cell("bound", say, bound, el("small", say(f"bounds.{found.bounds}"))),
        _cell("confidence", say, say.percent(1 - found.delta, 2) if looked else say("none")),
        *(_cell(name, say, value) for name, value in _looked(found, say)),
        _cell("delta", say, say.percent(found.delta, 2) if looked else "0"),
    )
    return el("tr", *cells, class_=found.kind, role="row")


def _looked(found: Certificate | Refusal, say: Words) -> tuple[tuple[str, str], ...]:
    none = say("none")
    if isinstance(found, Certificate):
        return (
            ("n", say.number(found.served)),
            ("loss", say.percent(found.loss, 1)),
            ("threshold", f"{found.threshold:.3f}"),
            ("coverage", say.percent(found.coverage)),
        )
    return (
        ("n", say.number(found.tested) if found.tested else none),
        ("loss", none if found.loss is None else say.percent(found.loss, 1)),
        ("threshold", none),
        ("coverage", none),
    )


def _cell(name: str, say: Words, *children: Html | str) -> Html:
    bare = " bare" if children in ((say("none"),), ("0",)) else ""
    return el("td", *children, class_=name + bare, data_label=say(f"turn.{name}"), role="cell")
