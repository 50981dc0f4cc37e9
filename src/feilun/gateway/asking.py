"""Asking: one request of a vendor's dialect on its way through, with all that was found out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from feilun.answer import Answerer, Begun
from feilun.discovery import Matched
from feilun.gateway.http import Request
from feilun.gateway.limits import Ask, Reservation
from feilun.gateway.parts import Parts
from feilun.gateway.servers import Model
from feilun.models.dialects import Client
from feilun.models.sse import Spoken
from feilun.records import RAW, Json, Key


@dataclass(slots=True)
class Asking:
    """A request and its key; then the task that it matches, and what is set aside for it."""

    parts: Parts
    request: Request
    key: Key | None
    spoken: Spoken
    body: dict[str, Json]
    raw: bytes
    matched: Matched | None = None
    answerer: Answerer | None = None
    begun: Begun | None = None
    tenant: str | None = None
    reservation: Reservation | None = None
    started: float = field(default_factory=perf_counter)

    @property
    def task(self) -> str:
        """The task under which its call is kept."""
        return self.matched.task if self.matched else RAW

    @property
    def client(self) -> Client:
        """The dialect of its errors and of what is made here."""
        return "chat" if self.spoken == "embeddings" else self.spoken

    def reserve(self, models: Sequence[Model]) -> None:
        """Set aside what its key may have to pay. Raises AccessError. Once is enough."""
        if self.key is None or self.reservation is not None:
            return
        names = [model.name for model in models]
        ask = Ask(names, len(self.raw), _bound(self), raw=self.matched is None)
        self.reservation = self.parts.budgets.reserve(self.key, ask)

    def let_go(self) -> None:
        """Give back what is reserved and was not settled."""
        if self.reservation is not None:
            self.parts.budgets.release(self.reservation)


def _bound(asking: Asking) -> int | None:
    """The tokens that a request allows all its answers together; None where it does not say."""
    if asking.spoken == "embeddings":
        return 0
    body = asking.body
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    most = most or body.get("max_output_tokens")
    if not isinstance(most, int):
        return None
    answers = body.get("n")
    return most * max(answers, 1) if isinstance(answers, int) else most
