"""The faulty server itself: it goes away without losing a connection, whenever that is."""

import asyncio
import gc
import socket
import warnings

import pytest

from feilun.testing.upstream import Upstream


@pytest.mark.parametrize("turns", range(6))
def test_a_server_that_goes_away_as_somebody_comes_loses_no_socket(turns: int) -> None:
    """The turns of its loop between the two are those in which the connection is half made."""

    async def come_and_go() -> None:
        with socket.create_connection(("127.0.0.1", up.port)):
            for _ in range(turns):
                await asyncio.sleep(0)
            await up._hang_up()

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with Upstream() as up:
            up._await(come_and_go())
        gc.collect()
    assert heard == []
    assert up.connections_open == 0


def test_a_server_that_comes_back_listens_on_its_old_port() -> None:
    with Upstream() as up:
        port = up.port
        up.go_away()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        up.come_back()
        with socket.create_connection(("127.0.0.1", port)):
            assert up.wait_until(lambda: up.connections_opened == 1)
