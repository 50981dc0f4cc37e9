"""The child process of the embedded engine: llama.cpp's own HTTP server, and nothing else.

It reads one line of JSON from standard input (what to serve, and the key that callers must
show), writes one line to standard output (`{"port": ...}`), and ends when standard input
does: that is when its parent stops, dies or is killed. Everything else goes to standard error.
"""

import json
import os
import sys
from urllib.parse import urlsplit

import xllamacpp

# Every open connection holds one of these threads, an idle one for five seconds.
_HTTP_THREADS = 64
_WARNINGS = 2  # llama.cpp's level: no word of a prompt is written below its 4


def main() -> None:
    """Serve until standard input ends."""
    report = os.dup(1)
    os.dup2(2, 1)  # what C++ prints is no report
    order = json.loads(sys.stdin.readline())
    server = xllamacpp.Server(_params(order))
    port = urlsplit(server.listening_address).port
    os.write(report, json.dumps({"port": port}).encode() + b"\n")
    sys.stdin.read()
    # No destructors: with a request at work they wait for it, and nobody is there to read it.
    os._exit(0)


def _params(order: dict[str, str | int]) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {order["name"]}
    params.api_keys = [order["key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_threads_http = _HTTP_THREADS
    params.verbosity = _WARNINGS
    params.ui = False
    params.endpoint_slots = False  # it would show prompts
    params.offline = True
    params.n_ctx = order["context"]
    params.n_parallel = order["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = order["threads"]
    # Weights repacked for the CPU are a second copy: 1.81 against 1.22 GB, and 9.6 against
    # 4.2 s to load, for 4.5 against 4.1 tokens/s (reference/compute-and-models.md).
    params.no_extra_bufts = True
    params.cache_prompt = True
    params.cache_ram_mib = order["cache_mib"]
    params.warmup = True
    return params


if __name__ == "__main__":
    main()
