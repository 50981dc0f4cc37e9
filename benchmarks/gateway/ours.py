"""Feilun in front of the upstream, and the reference workload of the CI figure."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from server import Server, free_port
from target import Place, Target

import feilun

_HERE = Path(__file__).parent
MODES = ("durable", "async", "off")
STILL = (str(_HERE / "still.py"),)
_MAIN = ("-c", "from feilun.cli import main; main()")

# One process, one engine; nothing of a model that runs here. A server's own limit of open
# requests is for model servers that need one; the mock does not.
_CONFIG = """
teacher = "mock"
audit_rate = 0.0
[engines.mock]
url = "{upstream}"
models = ["mock"]
concurrency = 20000
[embedded]
enabled = false
[capture]
mode = "{mode}"
[limits]
concurrency = 20000
"""


def start(
    place: Place,
    mode: str = "durable",
    store: Path | None = None,
    main: Sequence[str] = _MAIN,
) -> Target:
    """Start `feilun up` as a user would, with a store of its own."""
    config = place.work / f"feilun-{mode}.toml"
    config.write_text(_CONFIG.format(upstream=place.upstream, mode=mode))
    folder = store or place.work / f"store-{mode}"
    command = [*place.under, sys.executable, *main, "up", "--json"]
    command += ["--config", str(config), "--store", str(folder), "--port", str(free_port())]
    env = {"PYTHONPATH": str(Path(feilun.__file__).parents[1])}  # the one that runs this script
    server = Server(command, place.work / f"feilun-{folder.name}.log", place.core, env)
    said = json.loads(server.wait_for('"key"'))
    port = urlsplit(said["url"]).port
    return Target(
        f"Feilun {mode}",
        "of this tree",
        int(port or 80),
        server,
        headers={"authorization": f"Bearer {said['key']}"},
    )


def start_hello(place: Place) -> Target:
    """Start the reference workload: bare uvicorn that answers by itself."""
    port = free_port()
    command = [*place.under, sys.executable, "-m", "uvicorn", "hello:app", "--app-dir", str(_HERE)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command += ["--log-level", "warning", "--port", str(port)]
    server = Server(command, place.work / "hello.log", place.core)
    return Target("bare uvicorn", version("uvicorn"), port, server)
