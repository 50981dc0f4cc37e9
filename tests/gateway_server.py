"""A whole gateway for tests: `feilun up` as a process of its own, before a scripted model server.

with running(tmp_path) as up:
    up.upstream.script = [error(429)]
    httpx.post(up.url + "/v1/chat/completions", headers=up.headers, json={...})
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit

from feilun.records import Json
from feilun.testing.upstream import MODELS, Upstream

_UP = "from feilun.cli.up import up_app; up_app()"
_END_SECONDS = 30.0


@dataclass(frozen=True)
class Running:
    """A gateway that takes requests."""

    url: str  # without /v1
    key: str = field(repr=False)
    upstream: Upstream
    process: subprocess.Popen[str]
    store: Path
    log: Path  # what it says on stderr

    @property
    def headers(self) -> dict[str, str]:
        """What a request needs to be let in."""
        return {"authorization": f"Bearer {self.key}"}


@contextmanager
def running(
    tmp_path: Path,
    toml: str = "",
    env: Mapping[str, str] | None = None,
    *,
    upstream: Upstream | None = None,
    args: tuple[str, ...] = (),
    through: tuple[str, ...] = (),
) -> Iterator[Running]:
    """Start one, and end it by SIGTERM: it must leave in good order, with no traceback.

    `toml` comes over the usual `feilun.toml`, key by key. `through` is a command that becomes
    the one that follows it. A process that a test has ended by itself is asked nothing more.
    """
    with ExitStack() as stack:
        model = upstream or stack.enter_context(Upstream())
        config, log, store = tmp_path / "feilun.toml", tmp_path / "up.log", tmp_path / "store"
        config.write_text(tomlkit.dumps(_over(_usual(model), tomllib.loads(toml))), "utf-8")
        process = stack.enter_context(
            subprocess.Popen(
                [*through, sys.executable, "-c", _UP, "--config", str(config), "--store",
                 str(store), "--port", "0", "--json", *args],
                stdout=subprocess.PIPE,
                stderr=stack.enter_context(log.open("a", encoding="utf-8")),
                env={**os.environ, **(env or {})},
                text=True,
            )
        )  # fmt: skip
        stack.callback(process.kill)  # nothing outlives a test that failed
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the gateway did not start: {log.read_text(encoding='utf-8')}"
        ready = json.loads(line)
        yield Running(ready["url"], ready["key"], model, process, store, log)
        end(process, log)


def end(process: subprocess.Popen[str], log: Path) -> None:
    """Let a process drain and leave, if it has not left before."""
    if process.poll() is None:
        process.terminate()
        status = process.wait(_END_SECONDS)
        said = log.read_text(encoding="utf-8")
        assert status == 0, f"the gateway left with {status}: {said}"
        assert "Traceback" not in said, said


def _usual(upstream: Upstream) -> dict[str, Json]:
    mock = {"url": upstream.url, "models": list(MODELS)}
    return {
        "teacher": MODELS[0],
        "audit_rate": 1.0,
        "embedded": {"enabled": False},
        "engines": {"mock": mock},
        "aliases": {"best": [MODELS[0]]},
    }


def _over(below: dict[str, Json], above: dict[str, Json]) -> dict[str, Json]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _over(old, value)
        merged[name] = value
    return merged
