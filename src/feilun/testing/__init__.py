"""Fakes of every port, for tests of stages and of apps.

A fake passes the same contract suite as the real part, so what holds with it
holds in production. The suites themselves need pytest and are imported by their
own names (`feilun.testing.contracts_store`); nothing here needs it.
"""

from feilun.testing.clock import FakeClock
from feilun.testing.store import MemoryStore

__all__ = ["FakeClock", "MemoryStore"]
