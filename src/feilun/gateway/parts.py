"""The parts of a running gateway, as its handlers see them."""

from dataclasses import dataclass, field

from feilun.discovery import Matcher
from feilun.gateway.capture import Capture
from feilun.gateway.config import Config
from feilun.gateway.desk import Desk
from feilun.gateway.idle import Idle
from feilun.gateway.keys import Keys
from feilun.gateway.leases import Leases
from feilun.gateway.limits import Budgets
from feilun.gateway.metrics import Metrics
from feilun.gateway.relay import Relay
from feilun.gateway.repeats import Repeats
from feilun.gateway.servers import Servers
from feilun.house import House
from feilun.models.pool import Pool
from feilun.ports import Clock


@dataclass
class Parts:
    """All that a handler may need. `matcher` is replaced when adoptions change."""

    house: House
    clock: Clock
    config: Config
    keys: Keys
    budgets: Budgets
    capture: Capture
    servers: Servers
    pool: Pool
    relay: Relay
    desk: Desk
    matcher: Matcher
    repeats: Repeats = field(default_factory=Repeats)
    metrics: Metrics = field(default_factory=Metrics)
    idle: Idle = field(default_factory=Idle)
    leases: Leases = field(default_factory=Leases)
    certificates: dict[str, str | None] = field(default_factory=dict)  # by release
    broken_file: bool = False  # feilun.toml has changed and cannot be used
    draining: bool = False
