"""One task's report: numbers out of what was judged, and sentences for what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feilun.appraise.discover import Found, Unit
from feilun.appraise.judge import Judged
from feilun.appraise.missing import missing_from
from feilun.appraise.saving import saving
from feilun.appraise.shape import Holdout, LeftOut, Missing, TaskReport, Teacher
from feilun.certify import budget, interval
from feilun.ledger import TomlBook
from feilun.ports import Prediction
from feilun.records import Certificate, RedLine

LINES = 20  # line numbers named for each reason

_NOT_JUDGED = {
    "fields": "answers are objects of several fields; only one label of a closed set is judged",
    "free_text": "answers are free text, not labels of a closed set",
    "tools": "the calls use tools",
    "media": "the calls carry images, sound or files",
    "too_varied": "these prompts share neither a system prompt nor a beginning with enough others",
}


@dataclass(frozen=True)
class Context:
    """What all reports of one appraisal have in common."""

    line: RedLine
    book: TomlBook | None
    at: datetime


def left_out(reasons: Mapping[str, Sequence[int]]) -> list[LeftOut]:
    """Reasons with their number of rows and the first lines, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        LeftOut(reason=reason, rows=len(lines), lines=sorted(lines)[:LINES])
        for reason, lines in ordered
    ]


def not_judged(found: Found, context: Context) -> TaskReport:
    """The report of a task whose answers are no labels."""
    missing = Missing(
        why=found.kind, rows=None, of="rows", says=f"Not judged yet: {_NOT_JUDGED[found.kind]}."
    )
    return TaskReport(
        **_common(found, context),
        verdict="not_judged",
        bounds=None,
        order="file",
        train=0,
        n=0,
        threshold=None,
        coverage=None,
        coverage_low=None,
        coverage_high=None,
        served_loss=None,
        served_loss_upper=None,
        calls_loss=None,
        baseline_loss=None,
        holdout=None,
        teacher=None,
        missing=missing,
        saving=None,
        repeats=len(found.units) - len({unit.key for unit in found.units}),
        conflicts=0,
        near_duplicates=0,
        notes=found.notes,
    )


def judged(found: Found, result: Judged, context: Context) -> TaskReport:
    """The report of a task that was judged."""
    verdict, sides = result.verdict, result.sides
    share = len(found.units) / len(found.rows)
    on_calls = _on_calls(result, verdict)
    line = context.line.max_loss
    held = isinstance(verdict, Certificate) and on_calls is not None and on_calls <= line
    certificate = verdict if held and isinstance(verdict, Certificate) else None
    served = _served(sides.calibration, result.calibration, certificate)
    return TaskReport(
        **_common(found, context),
        verdict="certified" if certificate else "refused",
        bounds="correctness" if result.gold else "agreement",
        order=sides.order,
        train=len(sides.train),
        n=len(sides.calibration),
        threshold=certificate.threshold if certificate else None,
        coverage=_round(certificate.coverage * share) if certificate else 0.0,
        coverage_low=_round(certificate.coverage_low * share) if certificate else None,
        coverage_high=_round(certificate.coverage_high * share) if certificate else None,
        served_loss=_round(certificate.loss) if certificate else None,
        served_loss_upper=_round(certificate.loss_upper) if certificate else None,
        calls_loss=None if on_calls is None else _round(on_calls),
        baseline_loss=_baseline(result),
        holdout=_holdout(result, certificate),
        teacher=_teacher(found.units),
        missing=None if certificate else missing_from(found, result, context.line),
        saving=saving(
            [unit.row for unit in served],
            share * _share_of_calls(sides.calls, served, sides.calibration),
            found.rows,
            context.book,
            context.at,
            result.seconds_per_call,
        )
        if certificate
        else None,
        repeats=sides.repeats,
        conflicts=sides.conflicts,
        near_duplicates=sides.near_duplicates,
        notes=[*found.notes, *_notes(found, result, line)],
    )


def _common(found: Found, context: Context) -> dict[str, object]:
    return {
        "name": found.name,
        "kind": found.kind,
        "rows": len(found.rows),
        "inputs": len({unit.key for unit in found.units}),
        "labels": list(found.labels) if found.kind == "labels" else [],
        "bound": context.line.max_loss,
        "confidence": context.line.confidence,
        "delta": budget(context.line.confidence, 1),
        "left_out": left_out(found.out),
    }


def _served(
    units: Sequence[Unit], said: Sequence[Prediction], certificate: Certificate | None
) -> list[Unit]:
    if certificate is None:
        return []
    pairs = zip(units, said, strict=True)
    return [unit for unit, p in pairs if p.confidence >= certificate.threshold]


def _on_calls(result: Judged, verdict: object) -> float | None:
    """Mean loss of the served calibration inputs, each weighed by how often it was logged."""
    if not isinstance(verdict, Certificate):
        return None
    calls = result.sides.calls
    rows = [
        (calls[unit.key], p.output != unit.right)
        for unit, p in zip(result.sides.calibration, result.calibration, strict=True)
        if p.confidence >= verdict.threshold
    ]
    return float(sum(times * wrong for times, wrong in rows) / sum(times for times, _ in rows))


def _share_of_calls(
    calls: Mapping[str, int], served: Sequence[Unit], all_units: Sequence[Unit]
) -> float:
    whole = sum(calls[unit.key] for unit in all_units)
    return sum(calls[unit.key] for unit in served) / whole if whole else 0.0


def _baseline(result: Judged) -> float | None:
    """The loss of always giving the commonest answer of the training side."""
    units = result.sides.calibration
    if not units or result.common is None:
        return None
    return _round(sum(unit.right != result.common for unit in units) / len(units))


def _holdout(result: Judged, certificate: Certificate | None) -> Holdout | None:
    units = result.sides.holdout
    if not units or certificate is None:
        return None
    pairs = zip(units, result.holdout, strict=True)
    wrong = [p.output != unit.right for unit, p in pairs if p.confidence >= certificate.threshold]
    low, high = interval(sum(wrong), len(wrong))
    return Holdout(
        rows=len(units),
        coverage=_round(len(wrong) / len(units)),
        served=len(wrong),
        loss=_round(sum(wrong) / len(wrong)) if wrong else None,
        loss_low=_round(low) if wrong else None,
        loss_high=_round(high) if wrong else None,
    )


def _teacher(units: Sequence[Unit]) -> Teacher | None:
    """The error of the log's answers, one for each distinct input and answer that has gold."""
    seen = {(u.key, u.answer, u.gold) for u in units if u.gold is not None and u.answer is not None}
    if not seen:
        return None
    wrong = sum(answer != gold for _, answer, gold in seen)
    low, high = interval(wrong, len(seen))
    return Teacher(
        rows=len(seen),
        error=_round(wrong / len(seen)),
        error_low=_round(low),
        error_high=_round(high),
    )


def _notes(found: Found, result: Judged, line: float) -> list[str]:
    said = []
    golds = sum(unit.gold is not None for unit in found.units)
    if result.gold and golds < len(found.units):
        said.append(
            f"{golds} of {len(found.units)} rows have gold. The bound holds if they were drawn at "
            "random; rows picked because they looked wrong (or right) say nothing of the others."
        )
    if result.sides.order == "shuffled":
        said.append(
            "The rows have no times and are sorted by answer or input, so they were shuffled. "
            "The bound speaks of calls like those of the whole file, not of the latest."
        )
    if golds and not result.gold:
        said.append(f"{golds} rows have gold: too few to bound correctness. Agreement is judged.")
    baseline = _baseline(result)
    if baseline is not None and baseline <= line and isinstance(result.verdict, Certificate):
        said.append(
            f"Always answering {result.common!r} would lose {baseline:.1%} and so hold the line."
        )
    if result.sides.repeats > 0.5 * len(found.units):
        said.append(
            f"{result.sides.repeats} of {len(found.units)} rows say an input again: "
            "each input counts once."
        )
    return said


def _round(value: float) -> float:
    return round(value, 6)
