"""`feilun up`: the platform starts, and prints all that a client needs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feilun.cli.options import AsJson, Blobs, Embedder, Prices, Where
from feilun.errors import InputError
from feilun.terminal import out
from feilun.wiring import PRICES, open_house

if TYPE_CHECKING:  # the gateway's packages are an extra
    from feilun.gateway.config import Config
    from feilun.gateway.servers import Server
    from feilun.models.embedded import Embedded

up_app = typer.Typer()


@up_app.command(epilog="Example: `feilun up --store .feilun --port 8321`")
def up(
    config: Annotated[
        Path, typer.Option("--config", envvar="FEILUN_CONFIG", help="Engines, aliases, limits.")
    ] = Path("feilun.toml"),
    host: Annotated[str | None, typer.Option(help="Else from feilun.toml, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Else from feilun.toml, else 8321.")] = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="Ask for no keys; on loopback alone.")
    ] = False,
    store: Where = ".feilun",
    blobs: Blobs = None,
    prices: Prices = PRICES,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Start the gateway: one URL for all models and tasks. Ctrl-C drains and stops it."""
    from feilun.clock import SystemClock
    from feilun.gateway.app import Gateway
    from feilun.gateway.following import EnginesFile
    from feilun.gateway.keys import first_key
    from feilun.gateway.run import bind, is_loopback, serve

    file = EnginesFile(config)
    read = file.config
    where = host or read.host
    if no_keys and not is_loopback(where):
        raise InputError(f"Without keys only this machine may ask: {where} is no loopback address.")
    servers = [*file.servers, *_embedded(read)]
    bound = bind(where, read.port if port is None else port)
    house = open_house(
        store, blobs=blobs, prices=prices, embedder=embedder, audit_rate=read.audit_rate
    )
    clock = SystemClock()

    secret = None if no_keys else first_key(house.store, clock)
    url = f"http://{where if ':' not in where else f'[{where}]'}:{bound.getsockname()[1]}"
    gateway = Gateway(house, clock, read, servers, open=no_keys, file=file)

    def ready() -> None:
        shown = secret.get_secret_value() if secret else None
        if as_json:
            print(json.dumps({"url": url, "key": shown}), flush=True)
            return
        _greet(url, shown, no_keys=no_keys)

    try:
        serve(gateway, read, bound, ready)
    finally:
        house.close()


def _embedded(config: "Config") -> "list[Server]":
    from feilun.gateway.servers import EmbeddedServer

    engine = embedded(config)
    return [] if engine is None else [EmbeddedServer(engine)]


def embedded(config: "Config") -> "Embedded | None":
    """The embedded engine, which starts when it is asked; None where it is turned off."""
    from feilun.models.catalogue import read_catalogue
    from feilun.models.embedded import Embedded

    if not config.embedded.enabled:
        return None
    return Embedded(
        read_catalogue(),
        config.embedded.model,
        context=config.embedded.context,
        threads=config.embedded.threads,
        idle_seconds=config.embedded.idle_seconds,
    )


def _greet(url: str, key: str | None, *, no_keys: bool) -> None:
    out.print(f"Feilun listens at {url}/v1 (Ctrl-C stops it)", style="bold", highlight=False)
    if key:
        print(f"\nYour first key, shown this once:\n\n  {key}\n", flush=True)
    held = "" if no_keys else f' -H "authorization: Bearer {key or "$FEILUN_KEY"}"'
    print(
        f"Try it:\n\n  curl {url}/v1/chat/completions{held} \\\n"
        "    -H 'content-type: application/json' \\\n"
        """    -d '{"model": "embedded", "messages": [{"role": "user", "content": "你好"}]}'\n""",
        flush=True,
    )
