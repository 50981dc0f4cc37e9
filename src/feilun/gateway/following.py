"""Following `feilun.toml`: the engines and aliases that people change while a gateway runs.

The rest of the file is of the process: it takes effect at the next start.
"""

import asyncio
import logging
from pathlib import Path
from typing import NamedTuple

from feilun.errors import InputError
from feilun.gateway.config import Config, read_config
from feilun.gateway.parts import Parts
from feilun.gateway.servers import Server, configured

log = logging.getLogger("feilun.gateway")

_Stamp = tuple[int, int, int] | None
"""What shows that a file was written: its inode, its size and when. None: it is not there."""


class Engines(NamedTuple):
    """The servers and aliases that a file names."""

    servers: list[Server]
    aliases: dict[str, tuple[str, ...]]


class EnginesFile:
    """A configuration file and what was last taken from it. Its methods block.

    A file that cannot be used changes nothing: `broken` then says why, and the log says it
    once. Raises InputError where it cannot be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = self._seen = {path: _stamp(path)}
        self.config = read_config(path)
        self.servers = configured(self.config)
        self.broken: str | None = None

    def changes(self) -> Engines | None:
        """What the file says now, where that is news, and was so when it was last looked at.

        The second look is for editors that write a file in place: half of one may be read as
        a whole one without its last engines.
        """
        stamps = self._stamps()
        steady, self._seen = stamps == self._seen, stamps
        if not steady or (stamps == self._taken and not self.broken):
            return None
        try:
            if stamps[self._path] is None:
                raise InputError(f"{self._path} is gone. Put it back, or start again without it.")
            config = read_config(self._path)
            servers = configured(config)
        except InputError as error:
            self._say_broken(str(error))
            return None
        self._taken, self.broken = stamps, None
        self.servers = [self._old(config, each) or each for each in servers]
        self.config = config
        log.info("The engines are now: %s", ", ".join(config.engines) or "none")
        return Engines(self.servers, config.aliases)

    def _say_broken(self, why: str) -> None:
        if why != self.broken:
            log.warning("The engines stay as they were. %s", why)
        self.broken = why

    def _old(self, config: Config, new: Server) -> Server | None:
        """The server of before, with what it has been through, where nothing of it changed."""
        if config.engines[new.name] != self.config.engines.get(new.name):
            return None
        same = (each for each in self.servers if each.name == new.name)
        return next((each for each in same if each.headers == new.headers), None)

    def _stamps(self) -> dict[Path, _Stamp]:
        """Of the file, and of the files that hold its keys."""
        keys = [each.key_file for each in self.config.engines.values() if each.key_file]
        return {path: _stamp(path) for path in (self._path, *keys)}


async def follow(file: EnginesFile, parts: Parts) -> None:
    """Bring a gateway's engines to what the file says. Requests at work end on the old ones."""
    found = await asyncio.to_thread(file.changes)
    parts.broken_file = file.broken is not None
    if found is not None:
        new = [each for each in found.servers if each not in parts.servers.all]
        await asyncio.gather(*(each.refresh(parts.pool) for each in new))
        parts.servers.replace(found.servers, found.aliases)


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
