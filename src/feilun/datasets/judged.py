"""From calls and judgements to examples: at most one right output for each call."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from feilun.records import Audit, Call, Ended, Example, Feedback


@dataclass
class Judgements:
    """All that was said of the calls of one task, by call id, in log order."""

    feedback: dict[str, list[Feedback]] = field(default_factory=dict)
    audits: dict[str, list[Audit]] = field(default_factory=dict)


def gather(feedback: Iterable[Feedback], audits: Iterable[Audit], until: datetime) -> Judgements:
    """Group what was said before `until` by call."""
    found = Judgements()
    for said in feedback:
        if said.at < until:
            found.feedback.setdefault(said.call, []).append(said)
    for audit in audits:
        if audit.at < until:
            found.audits.setdefault(audit.call, []).append(audit)
    return found


def teaches(call: Call) -> bool:
    """Whether a call is whole: answered to its end, and with an input that can be read."""
    return call.ended is Ended.COMPLETE and call.kept != "hashed"


def deciding_audit(audits: list[Audit]) -> Audit:
    """The audit that counts: a person outranks the teacher, later outranks earlier."""
    return max(audits, key=lambda audit: (audit.by == "person", audit.at, audit.id))


def training_example(call: Call, said: Judgements) -> Example | None:
    """What a call teaches: the best word on it, or nothing.

    A correction outranks an audit, which outranks an acceptance; where nobody said
    anything the teacher's own answer is taken. A student never learns from a student.
    """
    feedback = said.feedback.get(call.id, [])
    corrections = [f for f in feedback if f.said == "correction"]
    if corrections:
        latest = max(corrections, key=lambda f: (f.at, f.id))  # ids sort by their making
        return _example(call, latest.output, "correction", "person")
    if audits := said.audits.get(call.id):
        audit = deciding_audit(audits)
        return _example(call, audit.output, "audit", audit.by)
    verdicts = {f.said for f in feedback}
    if "rejected" in verdicts:
        return None
    if "accepted" in verdicts:
        return _example(call, call.output, "accepted", "person")
    return _example(call, call.output, "teacher", "teacher") if call.by == "teacher" else None


def calibration_example(call: Call, said: Judgements) -> Example | None:
    """What a call certifies: its audit's word. Feedback never enters a risk estimate."""
    audits = said.audits.get(call.id)
    if not audits:
        return None
    audit = deciding_audit(audits)
    return _example(call, audit.output, "audit", audit.by)


def conflicting(call: Call, said: Judgements) -> bool:
    """Whether people or audits gave this call different right outputs."""
    outputs = [f.output for f in said.feedback.get(call.id, []) if f.said == "correction"]
    outputs += [audit.output for audit in said.audits.get(call.id, [])]
    return any(output != outputs[0] for output in outputs)


def _example(call: Call, output: object, source: str, judge: str) -> Example:
    return Example.model_validate(
        {
            "call": call.id,
            "at": call.at,
            "input": call.input,
            "output": output,
            "source": source,
            "judge": judge,
            "tenant": call.tenant or call.key,
        }
    )
