"""`feilun engines`: the model servers that a gateway asks, and whether they answer."""

import re
import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from feilun.cli.options import DONE, NO, AsJson
from feilun.errors import EngineError, FeilunError, InputError
from feilun.gateway.config import ServerConfig, read_config
from feilun.records import Json
from feilun.terminal import err, out, print_json, say

if TYPE_CHECKING:
    from feilun.models.remote import RemoteServer  # of the extra `gateway`

engines_app = typer.Typer(
    name="engines",
    help="Add, list, check and remove the model servers that a gateway asks.",
    no_args_is_help=True,
)

Where = Annotated[
    Path, typer.Option("--config", envvar="FEILUN_CONFIG", help="The gateway's configuration.")
]
Name = Annotated[str, typer.Argument(help="What you call the server.")]
HERE = Path("feilun.toml")


class Speaks(StrEnum):
    """What a server speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@engines_app.command(
    epilog="Example: `feilun engines add cloud https://api.example.com/v1 --key-env CLOUD_KEY "
    "--model large-1`"
)
def add(
    name: Name,
    url: Annotated[str, typer.Argument(help="What stands before /chat/completions.")],
    dialect: Annotated[Speaks, typer.Option(help="What the server speaks.")] = Speaks.OPENAI,
    key_env: Annotated[
        str | None, typer.Option(help="The variable of the environment that holds its key.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="The file that holds its key.")] = None,
    key: Annotated[
        bool,
        typer.Option("--key", help="Type the key in, unseen, or pipe it in. It goes into a file."),
    ] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="A model to ask it for; may be repeated. Else all.")
    ] = None,
    config: Where = HERE,
    as_json: AsJson = False,
) -> None:
    """Add a model server to feilun.toml. A gateway that runs takes it over in seconds."""
    from feilun.cli.engines_file import add_engine, keep_key, key_path
    from feilun.gateway.servers import address_of

    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise InputError("An engine's name is letters, digits, '.', '_' and '-', as in `cloud`.")
    address_of(name, url)
    if (key_env is not None) + (key_file is not None) + key > 1:
        raise InputError("Give one of --key-env, --key-file and --key.")
    settings: dict[str, Json] = {"url": url}
    if dialect is not Speaks.OPENAI:
        settings["dialect"] = dialect.value
    if key_env:
        settings["key_env"] = key_env
    if key_file or key:
        settings["key_file"] = str(key_file.resolve() if key_file else key_path(config, name))
    if model:
        settings["models"] = list(model)
    secret = _ask_for_key(name) if key else None
    added = add_engine(config, name, settings)
    if secret is not None:
        keep_key(config, name, secret)
    said = f"Added {escape(name)} to {escape(str(config))}. Try it: feilun engines check {name}"
    say(as_json, {"schema": "feilun.engine/1", **_shape(name, added)}, said)


@engines_app.command("list", epilog="Example: `feilun engines list --json`")
def list_engines(config: Where = HERE, as_json: AsJson = False) -> None:
    """Show the model servers of feilun.toml. Keys are named, never shown."""
    engines = read_config(config).engines
    if as_json:
        shapes = [_shape(name, engine) for name, engine in engines.items()]
        print_json({"schema": "feilun.engines/1", "engines": shapes})
        return
    table = Table("name", "url", "speaks", "key", "models")
    for name, engine in engines.items():
        key, models = _key(engine) or "none", ", ".join(engine.models) or "all it has"
        table.add_row(*map(escape, (name, engine.url, engine.dialect, key, models)))
    out.print(table)
    if not engines:
        err.print("No engines yet: feilun engines add NAME URL")


@engines_app.command(epilog="Example: `feilun engines remove cloud`")
def remove(name: Name, config: Where = HERE, as_json: AsJson = False) -> None:
    """Take a model server out of feilun.toml, and a key that was typed in off the disk.

    A gateway that runs follows; requests at work end where they are.
    """
    from feilun.cli.engines_file import remove_engine

    removed = remove_engine(config, name)
    said = f"Removed {escape(name)} from {escape(str(config))}."
    say(as_json, {"schema": "feilun.engine/1", **_shape(name, removed)}, said)


@engines_app.command(epilog="Example: `feilun engines check cloud`")
def check(
    name: Annotated[str | None, typer.Argument(help="A server; else all.")] = None,
    config: Where = HERE,
    as_json: AsJson = False,
) -> None:
    """Ask each server for its models and for one short answer. Exit code 1 if one fails."""
    engines = read_config(config).engines
    if name is not None and name not in engines:
        some = ", ".join(sorted(engines)) or "none yet: feilun engines add NAME URL"
        raise InputError(f"{config} has no engine {name!r}. Engines: {some}.")
    found = []
    for each in [name] if name is not None else list(engines):
        with err.status(f"Asking {escape(each)}"):
            found.append(_check(each, engines[each]))
    if as_json:
        print_json({"schema": "feilun.engines_check/1", "engines": [asdict(one) for one in found]})
    else:
        for one in found:
            out.print(_in_words(one), soft_wrap=True, highlight=False)
    raise typer.Exit(NO if any(one.problem for one in found) else DONE)


@dataclass(frozen=True)
class Checked:
    """What a server said when it was asked. `seconds` is the wait for a whole short answer."""

    name: str
    models: list[str]
    asked: str | None = None
    seconds: float | None = None
    problem: str | None = None


def _check(name: str, engine: ServerConfig) -> Checked:
    from feilun.models.remote import RemoteServer

    models: list[str] = []
    try:
        secret, timeouts = engine.secret(), engine.timeouts
        with RemoteServer(
            engine.url, dialect=engine.dialect, secret=secret, timeouts=timeouts
        ) as server:
            models = list(engine.models) or server.models()
            if not models:
                raise EngineError(f"{engine.url} has no models. Load one there, and check again.")
            return Checked(name, models, models[0], _first_answer(server, models[0]))
    except FeilunError as error:
        return Checked(name, models, models[0] if models else None, problem=str(error))


def _first_answer(server: "RemoteServer", model: str) -> float:
    """The seconds that a model takes for one short answer, sent by a server that may be cold."""
    hello = [{"role": "user", "content": "Say hello."}]
    started = perf_counter()
    server.complete({"model": model, "messages": hello, "max_tokens": 16})
    return round(perf_counter() - started, 3)


def _in_words(found: Checked) -> str:
    name = escape(found.name)
    if found.problem:
        return f"[red]fails[/] {name}: {escape(found.problem)}"
    some = ", ".join(found.models[:5]) + (" ..." if len(found.models) > 5 else "")
    asked = escape(found.asked or "")
    return f"[green]answers[/] {name}: {asked} in {found.seconds:.2f} s; models: {escape(some)}"


def _ask_for_key(name: str) -> str:
    """A key from whoever sits at the terminal, or from a pipe."""
    if sys.stdin.isatty():
        key = str(typer.prompt(f"Key of {name}", hide_input=True, err=True))
    else:
        key = sys.stdin.readline(10_000)
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise InputError("That is no key. Copy it again: a line of letters, digits and marks.")
    return key


def _key(engine: ServerConfig) -> str | None:
    """Where the key comes from."""
    if engine.key_env:
        return f"${engine.key_env}"
    return str(engine.key_file) if engine.key_file else None


def _shape(name: str, engine: ServerConfig) -> dict[str, Json]:
    """An engine as `--json` prints it."""
    return {
        "name": name,
        "url": engine.url,
        "dialect": engine.dialect,
        "key": _key(engine),
        "models": list(engine.models),
    }
