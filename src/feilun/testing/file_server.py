"""A server of files on this machine that misbehaves on demand, as hubs and lines do.

`FileServer` answers ranges, redirects, breaks off, sends other lengths, and remembers what
it was asked. `write_wheel` makes what a package index would give.
"""

import re
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread


class FileServer:
    """Serves `files` by path, inside a `with` block. Change its fields at any time.

    `breaks` ends the connection after so many bytes of an answer, once for each number in it.
    `hold` lets an answer wait, after its head, until the event is set.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.redirects: dict[str, str] = {}
        self.breaks: list[int] = []
        self.knows_ranges = True
        self.says_length = True
        self.status = 200
        self.hold: Event | None = None
        self.asked: list[tuple[str, int]] = []  # path, and the first byte wanted
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FileServer":
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: FileServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        files = self.server.owner
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        start = int(wanted[1]) if wanted else 0
        files.asked.append((self.path, start))
        if self.path in files.redirects:
            self._head(302, {"location": files.redirects[self.path], "content-length": "0"})
            return
        data = files.files.get(self.path)
        status = files.status if data is not None else 404
        if data is None or status != 200:
            self._head(status, {"content-length": "0"})
            return
        self._body(files, data, start if files.knows_ranges else 0)

    def _body(self, files: FileServer, data: bytes, start: int) -> None:
        head = {"content-length": str(len(data) - start)} if files.says_length else {}
        if start:
            head["content-range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._head(206 if start else 200, head)
        if files.hold:
            files.hold.wait(30)
        end = start + files.breaks.pop(0) if files.breaks else len(data)
        self.wfile.write(data[start:end])

    def _head(self, status: int, head: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: `asked` remembers."""


def write_wheel(folder: Path, package: str, version: str, files: Mapping[str, bytes]) -> Path:
    """A wheel with these files, as pip takes it."""
    name = package.replace("-", "_")
    about = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    inside = {
        **files,
        f"{about}/METADATA": metadata.encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, data in inside.items():
            wheel.writestr(member, data)
    return path
