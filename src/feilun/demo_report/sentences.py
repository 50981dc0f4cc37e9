"""Sentences that the page and the table share: what happened, and what was missing."""

from shlex import quote

from feilun.demo import Story
from feilun.demo_report.facts import calls, problems, proof, refusals, weight
from feilun.demo_report.words import Words
from feilun.ledger import Payback
from feilun.records import Certificate, Refusal, WhyRefused


def headline(story: Story, say: Words) -> str:
    """What happened, in one sentence."""
    found, audits = proof(story), say.number(story.audits)
    if found is None:
        turns = str(len(story.turns))
        return say(
            "headline.refused", turns=turns, refused=str(len(refusals(story))), audits=audits
        )
    share = story.after.student_share if story.after else found.certificate.coverage
    places = {
        "share": say.percent(share),
        "line": say.percent(found.certificate.max_loss),
        "audits": audits,
    }
    size = weight(story, found)
    if size is None:
        return say("headline.unsized", **places)
    return say("headline", size=say.size(size), **places)


def lede(story: Story, say: Words) -> str:
    """How to read the headline."""
    found, lines = proof(story), say.number(calls(story))
    if found is None:
        return say("lede.refused", calls=lines, line=say.percent(story.max_loss))
    return say(
        "lede",
        calls=lines,
        n=say.number(found.certificate.served),
        confidence=say.percent(1 - found.certificate.delta, 2),
    )


def verdict(found: Certificate | Refusal, say: Words) -> str:
    """What a verdict allows, or why it refuses and what is missing."""
    if isinstance(found, Certificate):
        return say(
            "say.certified",
            coverage=say.percent(found.coverage),
            loss=say.percent(found.loss, 1),
            upper=say.percent(found.loss_upper, 1),
        )
    gap = "" if say.language == "zh" else " "
    return gap.join(part for part in (_why(found, say), missing(found, say)) if part)


def _why(refusal: Refusal, say: Words) -> str:
    return say(
        f"say.{refusal.why}",
        tested=say.number(refusal.tested),
        loss=say("none") if refusal.loss is None else say.percent(refusal.loss, 1),
    )


def missing(refusal: Refusal, say: Words) -> str:
    """How many audits a refusal lacks and what they would cost."""
    if refusal.missing_audits is None:
        return "" if refusal.why is WhyRefused.TOO_WEAK else say("say.no_help")
    audits, cost = say.number(refusal.missing_audits), refusal.missing_cost
    if cost is None:
        return say("say.missing_unpriced", audits=audits)
    return say("say.missing", audits=audits, cost=say.money(cost.amount, cost.currency))


def payback(found: Payback, say: Words) -> list[str]:
    """Whether the wheel has paid for itself, and how sure that is."""
    if found.unknown:
        return [say("payback.unpriced", items=say.list(found.unknown))]
    if found.teacher_per_call is None:
        return [say("payback.few")]
    if found.calls is None or found.days is None:
        return [say("payback.never" if found.saved else "payback.idle")]
    key = "payback.reached" if found.reached else "payback.projected"
    middle = say(key, calls=say.number(found.calls), days=say.number(found.days))
    return [middle, *_payback_interval(found, say)]


def _payback_interval(found: Payback, say: Words) -> list[str]:
    if found.calls_low is None or found.days_low is None:
        return []
    low = {"calls_low": say.number(found.calls_low), "days_low": say.number(found.days_low)}
    if found.calls_high is None or found.days_high is None:
        return [say("payback.open", **low)]
    high = {"calls_high": say.number(found.calls_high), "days_high": say.number(found.days_high)}
    return [say("payback.interval", **low, **high)]


def verification(story: Story, say: Words) -> list[str]:
    """How many checks came out the same, and each that did not."""
    wrong = problems(story)
    same = str(len(story.checks) - len(wrong))
    lines = [say("verify.all", same=same, checked=str(len(story.checks)))]
    for check in wrong:
        where = {"kind": check.kind, "id": check.id, "problem": check.problem or ""}
        lines.append(say("verify.problem", **where))
    return lines


def commands(story: Story) -> list[tuple[str, str]]:
    """Three things to try next: the catalogue's key, and a command that works as it stands."""
    store = quote(str(story.folder))
    return [
        ("appraise", "feilun appraise YOUR_LOG.jsonl"),
        ("verify", f"feilun verify --store {store}"),
        ("rollback", f'feilun rollback {story.task} --reason "..." --store {store}'),
    ]
