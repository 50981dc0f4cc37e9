"""The gateway's watch goes on, whatever a look comes to."""

import asyncio
import logging
from types import SimpleNamespace
from typing import cast

import pytest

from feilun.errors import StoreError
from feilun.gateway import looking
from feilun.gateway.parts import Parts


@pytest.mark.parametrize("trouble", [StoreError("the disk is away"), ZeroDivisionError("a bug")])
def test_a_look_that_fails_is_told_and_the_next_one_comes(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = []

    def look(_: object) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise trouble
        raise asyncio.CancelledError  # the second look: the end of this test

    monkeypatch.setattr(looking, "look", look)
    monkeypatch.setattr(looking, "_EVERY_SECONDS", 0)
    parts = cast("Parts", SimpleNamespace())  # the look itself is replaced
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        asyncio.run(looking.keep_looking(parts))
    assert len(looks) == 2
    assert "The watch could not look" in caplog.text
