"""Feilun 飞轮: the open compute-model-application flywheel."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feilun.client import Answered, AsyncAnswered, AsyncClient, Client

__all__ = ["Answered", "AsyncAnswered", "AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    """The client, when it is asked for: whoever imports a part of Feilun does not load it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from feilun import client

    return getattr(client, name)
