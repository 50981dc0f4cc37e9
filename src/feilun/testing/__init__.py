"""Fakes of every port, for tests of stages and of apps.

A fake passes the same contract suite as the real part, so what holds with it
holds in production. The suites themselves need pytest and are imported by their
own names (`feilun.testing.contracts_store`); nothing here needs it. `kiosk` is a
small task with traffic, for tests that need something to learn.
"""

from feilun.testing.book import FakeBook
from feilun.testing.clock import FakeClock
from feilun.testing.engine import FakeEngine
from feilun.testing.store import MemoryStore
from feilun.testing.trainer import FakeStudent, FakeTrainer

__all__ = ["FakeBook", "FakeClock", "FakeEngine", "FakeStudent", "FakeTrainer", "MemoryStore"]
