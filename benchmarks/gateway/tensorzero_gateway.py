"""Run TensorZero's embedded gateway, the HTTP server that its OpenAI client patch starts.

Run by the interpreter of TensorZero's own environment; prints the base URL first.
"""

import sys
import threading

import tensorzero  # type: ignore[import-not-found]  # installed beside, never with us

gateway = tensorzero._start_http_gateway(
    config_file=sys.argv[1],
    clickhouse_url=None,
    postgres_url=None,
    valkey_url=None,
    async_setup=False,
)
print(gateway.base_url, flush=True)
threading.Event().wait()
