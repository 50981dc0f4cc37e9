"""The gateway's watch: what was served is held against its lines, every second."""

import asyncio
import logging

from feilun.errors import FeilunError
from feilun.gateway.audits import budget
from feilun.gateway.parts import Parts

log = logging.getLogger("feilun.gateway")

_EVERY_SECONDS = 1.0


async def keep_looking(parts: Parts) -> None:
    """Look for as long as the gateway runs. A look that fails is told, and tried again.

    It has a task of its own: the first look reads the whole log, and keys that were revoked
    meanwhile must not wait for it.
    """
    while True:
        try:
            await asyncio.to_thread(look, parts)
        except FeilunError as error:
            log.warning("The watch could not look: %s", error)
        except Exception:  # a watch that ends in silence is worse than one that complains
            log.exception("The watch could not look")
        await asyncio.sleep(_EVERY_SECONDS)


def look(parts: Parts) -> None:
    """Raise the alarms there are; the desk asks no student that was called back. Blocks.

    Then calls are drawn for audits as often as what was seen makes it needed.
    """

    def go_on(done: int, total: int) -> None:  # noqa: ARG001
        if parts.draining:
            raise asyncio.CancelledError  # a long first look must not hold up the end

    for alarm in parts.house.watching.look(progress=go_on):
        log.warning("%s is answered by its teacher again: alarm %s", alarm.task, alarm.id)
        parts.desk.follow()
    parts.house.redraw(budget(parts))
