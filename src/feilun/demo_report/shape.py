"""The story as JSON, schema `feilun.demo/1`: what `feilun demo --json` prints.

Fields are added, never renamed or removed, within a schema number. Shares and losses are
fractions, money of the payback is a decimal in a string, times are ISO 8601 in UTC, and
null means unknown or absent:

    schema, task, teacher, max_loss, currency, folder, corrections, audits
    days[]        day, calls, by_student, right (against gold: only a demo has it)
    turns[]       verdict, then certificate or refusal, dataset, candidate, release: records
    before, after first, last, calls, student_share, risk, student_risk, cost, wheel_cost,
                  p50_seconds; a risk is mean, low, high (95 %), audits; costs per 1,000 calls
    payback       the fields of feilun.ledger.Payback
    verification  checked, same, problems[]: kind, id, task, problem
    people        corrects, audit_rate, watch_rate: what was simulated
"""

from dataclasses import asdict
from datetime import date
from decimal import Decimal

from feilun.demo import AUDIT_RATE, CORRECTS, TEACHER, WATCH_RATE, Story
from feilun.demo_report.facts import problems
from feilun.house import Turn
from feilun.records import Json

SCHEMA = "feilun.demo/1"


def to_json(story: Story) -> dict[str, Json]:
    """The story as plain JSON values."""
    wrong = problems(story)
    return {
        "schema": SCHEMA,
        "task": story.task,
        "teacher": TEACHER,
        "max_loss": story.max_loss,
        "currency": story.currency,
        "folder": str(story.folder),
        "corrections": story.corrections,
        "audits": story.audits,
        "days": [_plain(asdict(day)) for day in story.days],
        "turns": [_turn(turn) for turn in story.turns],
        "before": _plain(asdict(story.before)),
        "after": _plain(asdict(story.after)) if story.after else None,
        "payback": _plain(asdict(story.payback)),
        "verification": {
            "checked": len(story.checks),
            "same": len(story.checks) - len(wrong),
            "problems": [asdict(check) for check in wrong],
        },
        "people": {"corrects": CORRECTS, "audit_rate": AUDIT_RATE, "watch_rate": WATCH_RATE},
    }


def _turn(turn: Turn) -> dict[str, Json]:
    return {
        "verdict": turn.verdict.kind,
        turn.verdict.kind: turn.verdict.model_dump(mode="json"),
        "dataset": turn.dataset.model_dump(mode="json"),
        "candidate": turn.candidate.model_dump(mode="json"),
        "release": turn.release.model_dump(mode="json") if turn.release else None,
    }


def _plain(value: Json) -> Json:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Decimal():
            return str(value)
        case date():
            return value.isoformat()
        case _:
            return value
