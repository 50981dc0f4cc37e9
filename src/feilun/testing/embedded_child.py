"""A child process for the embedded engine that runs no model: it answers from a table.

It speaks the same pipe protocol as `feilun.models.embedded_process` and needs the standard
library alone, so it is up in a moment. `command` gives what `Embedded(command=...)` takes.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal

Mode = Literal["serve", "deaf", "fail", "silent", "babble"]
"""deaf: hears no SIGTERM. fail: ends before it listens. silent, babble: never say a port."""

CRASH = "crash"
"""Asked this, the child kills itself in the middle of the call."""


def command(answers: Mapping[Any, Any], mode: Mode = "serve") -> tuple[str, ...]:
    """A child that answers each last user message with its value, and others with an error."""
    return (sys.executable, "-I", "-S", __file__, mode, json.dumps(dict(answers)))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    key = ""
    name = ""
    answers: Mapping[str, Any] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = body["messages"][-1]["content"]
        if asked == CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.headers["authorization"] != f"Bearer {self.server.key}":
            self._say(401, {"error": {"type": "authentication_error"}})
        elif asked in self.server.answers:
            self._say(200, self._completion(self.server.answers[asked]))
        else:
            self._say(400, {"error": {"type": "exceed_context_size_error", "message": asked}})

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: tests read what children say."""

    def _completion(self, answer: Any) -> dict[str, Any]:
        message = {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)}
        return {
            "object": "chat.completion",
            "model": self.server.name,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 40, "completion_tokens": 3, "total_tokens": 43},
        }

    def _say(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(mode: str, answers: str) -> None:
    """Serve until standard input ends."""
    order = json.loads(sys.stdin.readline())
    if mode == "fail":
        sys.exit("ggml: cannot allocate the weights")
    if mode == "babble":
        print("Hello, I am a model.", flush=True)
    if mode in ("silent", "babble"):
        sys.stdin.read()
        return
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.key, server.name, server.answers = order["key"], order["name"], json.loads(answers)
    Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
