"""The tests themselves: they reach no network, and chance repeats."""

import random
import socket

import numpy as np
import pytest

# TEST-NET-1 of RFC 5737: an address that nobody has.
NOBODY = "192.0.2.1"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_connection_that_leaves_the_machine_is_an_error(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as outward:
        with pytest.raises(RuntimeError, match="tests use no network"):
            outward.connect((NOBODY, 80))
        with pytest.raises(RuntimeError, match="tests use no network"):
            outward.connect_ex((NOBODY, 80))


def test_looking_up_a_name_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"look up 'example.org'"):
        socket.create_connection(("example.org", 443), timeout=1)


def test_the_machine_itself_may_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


@pytest.mark.parametrize("once", [1, 2])
def test_chance_begins_again_with_every_test(once: int) -> None:
    assert once
    drawn = random.random()  # noqa: S311 - no secret
    assert (drawn, float(np.random.rand())) == (0.8444218515250481, 0.5488135039273248)
