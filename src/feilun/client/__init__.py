"""The client: a task is a function, and its answers can be judged where they stand.

    category = Client("http://127.0.0.1:8321", key="fl_live_...").task(category)
    answer = category("taxi 30")
    answer.correct("transport")

The same methods work on a server and, with `store=`, in this process without one.
"""

from feilun.client.answered import Answered, AsyncAnswered
from feilun.client.asynchronous import AsyncAsking, AsyncClient
from feilun.client.operations import Due
from feilun.client.synchronous import Asking, Client

__all__ = [
    "Answered",
    "Asking",
    "AsyncAnswered",
    "AsyncAsking",
    "AsyncClient",
    "Client",
    "Due",
]
