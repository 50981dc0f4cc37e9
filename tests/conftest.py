"""What holds for all tests: no network, no chance without a seed.

The clock is in the tests' own hands (`FakeClock`), and waiting is not a test.
"""

import os
import random
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# The contract suites and the fakes are part of the tests: a failure there shows its values.
pytest.register_assert_rewrite("feilun.testing", "kiosk_log")

_NEAR = ("127.", "::1", "localhost")


def _no_network(event: str, args: tuple[Any, ...]) -> None:
    """Every connection of Python's sockets passes here; those that leave the machine end here."""
    if event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        # A path or bytes are a UNIX socket.
        if isinstance(address, tuple) and not str(address[0]).startswith(_NEAR):
            raise RuntimeError(f"a test wanted to reach {address}: tests use no network")
    elif event == "socket.getaddrinfo" and args[0] and not str(args[0]).startswith(_NEAR):
        raise RuntimeError(f"a test wanted to look up {args[0]!r}: tests use no network")


sys.addaudithook(_no_network)

# The same examples in every run. `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("house", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


_SETTINGS = (
    "FEILUN_STORE",
    "FEILUN_BLOBS",
    "FEILUN_PRICES",
    "FEILUN_EMBEDDER",
    "FEILUN_MODELS",
    "FEILUN_CONFIG",
    "FEILUN_URL",
    "FEILUN_KEY",
    "HF_ENDPOINT",
    "MODELSCOPE_ENDPOINT",
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests reaches them."""
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
