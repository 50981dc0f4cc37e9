"""Which way a client takes: arguments first, then the environment, then this machine."""

import os
from typing import TYPE_CHECKING

from feilun.errors import InputError

if TYPE_CHECKING:
    from feilun.client.over_http import Server

_HERE = "http://127.0.0.1:8321"  # where `feilun up` listens


def server(url: str | None, key: str | None, timeout: float) -> "Server":
    """The server to ask. Raises InputError for no URL, or without the packages for it."""
    try:
        from feilun.client.over_http import Server
    except ModuleNotFoundError as error:
        raise InputError(
            f"To ask a server, a client needs {error.name}. Run `pip install 'feilun[gateway]'`."
        ) from error
    return Server.at(
        url or os.environ.get("FEILUN_URL") or _HERE,
        (key or os.environ.get("FEILUN_KEY") or "").strip() or None,
        timeout,
    )


def one_way(**ways: object) -> None:
    """Raises InputError where a client is given more than one way to its tasks."""
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise InputError(
            f"A client goes one way: give {' or '.join(given)}, and not {len(given)} of them."
        )
