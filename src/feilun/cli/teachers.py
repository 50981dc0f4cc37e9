"""The teachers of `feilun.toml`, for commands that ask one without a gateway."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from feilun.cli.up import embedded
from feilun.errors import InputError
from feilun.gateway.config import Config
from feilun.house import House
from feilun.models.remote import RemoteEngine, RemoteServer
from feilun.ports import Engine
from feilun.records import Task


@contextmanager
def teachers(
    config: Config, house: House, model: str | None = None
) -> Iterator[Callable[[Task], Engine]]:
    """Who is asked for a task: `model`, or whom the gateway would ask. Raises InputError."""
    adopted = {each.task: each.model for each in house.discovery.adoptions()}
    found: dict[str, Engine] = {}
    with ExitStack() as open_:

        def teacher(task: Task) -> Engine:
            told = config.tasks.get(task.task)
            name = model or (told and told.teacher) or adopted.get(task.task) or config.teacher
            if name not in found:
                found[name] = _engine(config, name, open_)
            return found[name]

        yield teacher


def _engine(config: Config, name: str, open_: ExitStack) -> Engine:
    """A model by its name or alias. An alias is answered by the first model that it names."""
    first = config.aliases.get(name, (name,))[0]
    engine, _, remote = first.partition("/")
    listed = [each for each, server in config.engines.items() if first in server.models]
    asked = [each for each, server in config.engines.items() if not server.models]
    for each in [*listed, *asked, *({engine} & set(config.engines))]:
        server = config.engines[each]
        reached = open_.enter_context(
            RemoteServer(
                server.url,
                dialect=server.dialect,
                secret=server.secret(),
                timeouts=server.timeouts,
            )
        )
        models = server.models or tuple(reached.models())
        if first in models:
            return RemoteEngine(first, reached)
        if each == engine and remote in models:
            return RemoteEngine(remote, reached)
    local = embedded(config)
    if local is not None and first in ("embedded", local.name.removeprefix("prompt:")):
        open_.callback(local.close)
        return local
    some = ", ".join(config.engines) or "none"
    raise InputError(
        f"No engine of feilun.toml has the model {first[:100]!r}. Engines: {some}. Add one with "
        "`feilun engines add`, or name another with --model."
    )
