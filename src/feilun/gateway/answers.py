"""Keeping a task's call, and sending it with the headers that say what it was."""

import asyncio

from feilun.answer import Asked
from feilun.errors import FeilunError
from feilun.gateway.http import Request
from feilun.gateway.keeping import keep_call
from feilun.gateway.limits import Ask
from feilun.gateway.overtaken import losses
from feilun.gateway.parts import Parts
from feilun.ledger import cost_of
from feilun.models.wire import Headers
from feilun.records import Call, Key, Money


async def answer_task(
    parts: Parts, name: str, asked: Asked, key: Key | None, body_bytes: int
) -> Call:
    """Answer a task within the budget of a key. Raises what `Desk.answer` raises, AccessError."""
    lost = losses(parts, name, asked.id, key)
    if key is None:
        return await parts.desk.answer(name, asked, lost)
    models = [model.name for model in parts.servers.known(parts.desk.teacher(name))]
    reservation = parts.budgets.reserve(key, Ask(models, body_bytes, None, raw=False))
    try:
        call = await parts.desk.answer(name, asked, lost)
        if call.by == "teacher":
            counts = (call.tokens_in, call.tokens_cached, call.tokens_out)
            parts.budgets.settle(reservation, call.variant, *counts)
        return call
    finally:
        parts.budgets.release(reservation)


async def keep(parts: Parts, call: Call) -> Money | None:
    """Hand a call to the capture, and wait for the disk where its task is durable."""
    mode = parts.desk.mode(call.task)
    parts.capture.admit(mode)
    kept = parts.desk.kept(call.task)
    if call.trial is None or mode == "off":
        stored = keep_call(call, kept)
        done = parts.capture.add(mode, lambda: [stored], 2000)
    else:
        parts.desk.await_word(call)
        done = parts.capture.add(mode, lambda: [keep_call(parts.desk.beside(call), kept)], 2000)
    parts.metrics.calls[call.task, call.by] += 1
    parts.metrics.seconds.add(call.seconds)
    if done is not None:
        await done
    return cost_of(call, parts.house.book)


async def send_call(
    parts: Parts, request: Request, call: Call, cost: Money | None, body: bytes,
    kind: tuple[bytes, bytes],
) -> None:  # fmt: skip
    """Send the answer of a call."""
    proof = await certificate(parts, call)
    headers = facts(call.id, call.task, call.variant, call.confidence, proof, cost)
    await request.answer(200, body, [kind, *headers])


async def certificate(parts: Parts, call: Call) -> str | None:
    """The certificate of the release, or of the trial, by which a student answered."""
    by = call.release or call.trial
    if by is None or call.by != "student":
        return None
    if by not in parts.certificates:
        try:
            parts.certificates[by] = await asyncio.to_thread(parts.house.proof, call)
        except FeilunError:
            return None
    return parts.certificates[by]


def facts(
    id: str, task: str, variant: str, sure: float | None, proof: str | None, cost: Money | None
) -> Headers:
    """What the headers say of a call; bodies stay what the standard says."""
    told: Headers = [
        (b"x-feilun-call", id.encode()),
        (b"x-feilun-task", task.encode("ascii", "backslashreplace")),
        (b"x-feilun-variant", variant.encode("ascii", "backslashreplace")),
    ]
    if sure is not None:
        told.append((b"x-feilun-confidence", b"%.6g" % sure))
    if proof is not None:
        told.append((b"x-feilun-certificate", proof.encode()))
    if cost is not None:
        told.append((b"x-feilun-cost", f"{cost.amount:f} {cost.currency}".encode()))
    return told
