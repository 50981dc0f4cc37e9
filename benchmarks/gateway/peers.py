"""The other gateways: how each is installed, pinned, and started in front of the upstream.

Each runs as its own documentation says for one core, in its best case: LiteLLM without a
database and without logging, with its master key; TensorZero without its ClickHouse;
Portkey without plugins and without a key; firstpass observing, with its SQLite trace, as it does
by default. None of them holds an answer back until it is stored, and only firstpass stores one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from server import CannotRun, Server, free_port
from target import Place, Target

KEY = "sk-bench"
_MARK = "installed-version"
BEARER = {"authorization": f"Bearer {KEY}"}


class Peer(NamedTuple):
    """One gateway, its pinned version, and what installs and starts it in a folder of its own."""

    name: str
    version: str
    install: Callable[[Path], None]
    start: Callable[[Path, Place], Target]


def _wheel(requirement: str) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(folder / "bin" / "pip"), "install", "--quiet", requirement])

    return install


def _install_portkey(folder: Path) -> None:
    # Its streams fail with every @hono/node-server after 1.14.1, which it does not pin
    # ("TypeError: immutable", its issue 1389).
    wanted = {
        "private": True,
        "dependencies": {"@portkey-ai/gateway": "1.15.2"},
        "overrides": {"@hono/node-server": "1.14.1"},
    }
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(wanted))
    npm = _tool("npm")
    flags = ["--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error"]
    _run([npm, "install", "--prefix", str(folder), *flags])


def _start_litellm(folder: Path, place: Place) -> Target:
    params = {"model": "openai/mock", "api_base": place.upstream, "api_key": "none"}
    config = place.work / "litellm.yaml"  # JSON is YAML
    models = [{"model_name": "mock", "litellm_params": params}]
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": KEY}}))
    port = free_port()
    command = [str(folder / "bin" / "litellm"), "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    env = {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch one at start
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    server = Server(command, place.work / "litellm.log", env=env)
    return Target("LiteLLM", "1.106.2", port, server, headers=BEARER)


def _start_portkey(folder: Path, place: Place) -> Target:
    script = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    port = free_port()
    server = Server(
        [_tool("node"), str(script), f"--port={port}", "--headless"],
        place.work / "portkey.log",
        env={"NODE_ENV": "production"},
    )
    route = {"x-portkey-provider": "openai", "x-portkey-custom-host": place.upstream}
    return Target("Portkey", "1.15.2", port, server, headers={**BEARER, **route})


def _start_firstpass(folder: Path, place: Place) -> Target:
    port = free_port()
    base = place.upstream.removesuffix("/v1")
    env = {
        "FIRSTPASS_MODE": "observe",
        "FIRSTPASS_BIND": f"127.0.0.1:{port}",
        "FIRSTPASS_DB": str(place.work / "firstpass.db"),
        "FIRSTPASS_UPSTREAM_OPENAI": base,
        "FIRSTPASS_UPSTREAM_ANTHROPIC": base,
        "FIRSTPASS_PROMPT_SALT": "bench",
        "RUST_LOG": "error",
    }
    command = [str(folder / "bin" / "firstpass-proxy")]
    server = Server(command, place.work / "firstpass.log", env=env)
    return Target("firstpass", "0.9.0", port, server, headers=BEARER)


_TENSORZERO = """
[gateway]
observability.enabled = false
[models.mock]
routing = ["mock"]
[models.mock.providers.mock]
type = "openai"
model_name = "mock"
api_base = "{upstream}/"
api_key_location = "none"
"""


def _start_tensorzero(folder: Path, place: Place) -> Target:
    config = place.work / "tensorzero.toml"
    config.write_text(_TENSORZERO.format(upstream=place.upstream))
    script = str(Path(__file__).parent / "tensorzero_gateway.py")
    command = [str(folder / "bin" / "python"), script, str(config)]
    server = Server(command, place.work / "tensorzero.log")
    found = re.search(r"http://127\.0\.0\.1:(\d+)(/\S+)", server.wait_for("/openai/v1"))
    assert found
    return Target(
        "TensorZero embedded",
        "2026.6.0",
        int(found[1]),
        server,
        path=f"{found[2]}/chat/completions",
        model="tensorzero::model_name::mock",
    )


PEERS: Sequence[Peer] = (
    Peer("tensorzero", "2026.6.0", _wheel("tensorzero==2026.6.0"), _start_tensorzero),
    Peer("firstpass", "0.9.0", _wheel("firstpass==0.9.0"), _start_firstpass),
    Peer("portkey", "1.15.2", _install_portkey, _start_portkey),
    Peer("litellm", "1.106.2", _wheel("litellm[proxy]==1.106.2"), _start_litellm),
)


def installed(peer: Peer, folder: Path) -> bool:
    """Whether this version of it is in the folder, whole."""
    mark = folder / peer.name / _MARK
    return mark.exists() and mark.read_text() == peer.version


def install(peer: Peer, folder: Path) -> None:
    """Install a peer anew in its folder. Raises CannotRun with what the installer said."""
    place = (folder / peer.name).absolute()
    shutil.rmtree(place, ignore_errors=True)
    peer.install(place)
    (place / _MARK).write_text(peer.version)


def start(peer: Peer, folder: Path, place: Place) -> Target:
    """Start a peer. Raises CannotRun where it is not installed or ends at once."""
    if not installed(peer, folder):
        raise CannotRun(f"{peer.name} {peer.version} is not in {folder}; run with --install.")
    return peer.start((folder / peer.name).resolve(), place)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CannotRun(f"{name} is not on the PATH; install Node.js 18 or newer.")
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - pinned above
    if done.returncode:
        raise CannotRun(f"{command[0]} failed: {done.stderr.strip()[-400:]}")
