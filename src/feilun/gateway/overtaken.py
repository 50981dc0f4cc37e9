"""Legs that lost a race: they were paid for, nobody counted what they took, and the log says so."""

from feilun.gateway.desk import owner
from feilun.gateway.hedging import Lost
from feilun.gateway.parts import Parts
from feilun.gateway.servers import Model
from feilun.records import RAW, Call, Ended, Key, WhyTeacher


def losses(parts: Parts, task: str, id: str | None, key: Key | None) -> Lost | None:
    """Keeps the legs that a call loses as calls of their own, without a count of tokens.

    None under a key with a budget of tokens or money, which can count no such call: then
    nothing is hedged.
    """
    if key is not None and (key.limits.tokens_per_day or key.limits.money_per_month):
        return None

    def lost(model: Model, seconds: float) -> None:
        parts.metrics.hedged[model.server.name] += 1
        call = Call(
            id=parts.clock.new_id(), task=task, at=parts.clock.now(), input=None, output=None,
            variant=model.name, by="teacher", seconds=round(seconds, 6), parent=id,
            why_teacher=WhyTeacher.NO_TASK if task == RAW else None, ended=Ended.OVERTAKEN,
            key=owner(key),
        )  # fmt: skip
        mode = parts.desk.mode(task)
        parts.capture.add("async" if mode == "durable" else mode, lambda: [call], 500)

    return lost
