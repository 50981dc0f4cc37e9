"""The bad-input list: 80 bodies, 20 raw requests, 500 strings. No 5xx, no hang, alive after."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from time import monotonic
from urllib.parse import quote

import httpx
import pytest
from gateway_server import Running, running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_PATIENCE = 6.0  # seconds; who has heard nothing until then calls it a hang
_CHAT = "/v1/chat/completions"
_GOOD = b'{"model":"mock-small","messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("gateway")) as found:
        with httpx.Client(base_url=found.url, headers=found.headers) as client:
            declared = {
                "instructions": "Sort it.",
                "output_schema": {"type": "string"},
                "red_line": {"max_loss": 0.1},
            }
            client.put("/v1/tasks/kiosk", json=declared).raise_for_status()
        yield found


def _chat(**fields: object) -> bytes:
    return json.dumps({**json.loads(_GOOD), **fields}).encode()


def _said(content: object) -> bytes:
    return _chat(messages=[{"role": "user", "content": content}])


_DEEP = 100_000
BODIES: dict[str, tuple[str, bytes]] = {
    **{
        f"chat: {name}": (_CHAT, body)
        for name, body in {
            "nothing": b"",
            "null": b"null",
            "a list": b"[]",
            "a string": b'"x"',
            "a number": b"7",
            "true": b"true",
            "an empty object": b"{}",
            "an open brace": b"{",
            "half": _GOOD[:40],
            "two objects": _GOOD + _GOOD,
            "a comma too many": b'{"model":"mock-small",}',
            "single quotes": b"{'model':'mock-small'}",
            "bad UTF-8": _GOOD.replace(b"hi", b"\xff\xfe\x80"),
            "a lone surrogate": _GOOD.replace(b"hi", b"\\ud800"),
            "a surrogate in bytes": _GOOD.replace(b"hi", b"\xed\xa0\x80"),
            "UTF-16": _GOOD.decode().encode("utf-16"),
            "a byte order mark": b"\xef\xbb\xbf" + _GOOD,
            "a NUL": _GOOD.replace(b"hi", b"\x00"),
            "an escaped NUL": _GOOD.replace(b"hi", b"\\u0000"),
            "1e999": _GOOD[:-1] + b',"temperature":1e999}',
            "NaN": _GOOD[:-1] + b',"temperature":NaN}',
            "infinity": _GOOD[:-1] + b',"temperature":-Infinity}',
            "a long number": _GOOD[:-1] + b',"seed":' + b"9" * 100_000 + b"}",
            "a number past 64 bits": _GOOD[:-1] + b',"max_tokens":18446744073709551616}',
            "a negative limit": _chat(max_tokens=-1),
            "a huge limit": _chat(max_tokens=1 << 62, n=1 << 62),
            "a limit of text": _chat(max_tokens="many"),
            "a limit that is true": _chat(max_tokens=True, n=True),
            "deep lists": b"[" * _DEEP,
            "deep objects": b'{"model":' * _DEEP,
            "deep and whole": b'{"model":"mock-small","messages":[{"role":"user","content":'
            + b"[" * 900 + b"]" * 900 + b"}]}",
            "no messages": b'{"model":"mock-small"}',
            "null for messages": _chat(messages=None),
            "messages of 5": _chat(messages=5),
            "messages of text": _chat(messages="hi"),
            "messages of an object": _chat(messages={}),
            "no message": _chat(messages=[]),
            "a null message": _chat(messages=[None]),
            "a list in messages": _chat(messages=[[]]),
            "an empty message": _chat(messages=[{}]),
            "a strange role": _chat(messages=[{"role": "king", "content": "hi"}]),
            "a role of 1": _chat(messages=[{"role": 1, "content": "hi"}]),
            "content of 5": _said(5),
            "content of an object": _said({"type": "text"}),
            "a bad part": _said([{"type": "text"}]),
            "a part of null": _said([None]),
            "an image of a file": _said(
                [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]
            ),
            "an image of the metadata server": _said(
                [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]
            ),
            "no model": b'{"messages":[]}',
            "a model of 1": _chat(model=1),
            "an empty model": _chat(model=""),
            "an unknown model": _chat(model="gpt-none"),
            "a model of a megabyte": _chat(model="m" * (1 << 20)),
            "a model that is a path": _chat(model="../../etc/passwd"),
            "a model with a line break": _chat(model="mock-small\r\nx: y"),
            "a task of nobody": _chat(model="task/none"),
            "a task without a name": _chat(model="task/"),
            "a task that climbs": _chat(model="task/../kiosk"),
            "api_base": _chat(api_base="http://127.0.0.1:1"),
            "base_url": _chat(base_url="http://127.0.0.1:1"),
            "api_key": _chat(api_key="sk-1"),
            "extra_headers": _chat(extra_headers={"host": "x"}),
            "fallbacks": _chat(fallbacks=["x"]),
            "a timeout of text": _chat(timeout="soon"),
            "stream of text": _chat(stream="yes"),
            "stream_options of 1": _chat(stream=True, stream_options=1),
            "tools of 1": _chat(tools=1),
            "a bad tool": _chat(tools=[{"type": "function"}], tool_choice={}),
            "a bad response_format": _chat(response_format={"type": "json_schema"}),
            "response_format of text": _chat(response_format="json"),
            "100,000 fields": _chat(**{f"f{i}": i for i in range(100_000)}),
            "11 MB": _said("x" * (11 << 20)),
        }.items()
    },
    "a task's call without input": ("/v1/tasks/kiosk/calls", b"{}"),
    "a task's call with more": ("/v1/tasks/kiosk/calls", b'{"input":"tea","x":1}'),
    "a task's input of the wrong type": ("/v1/tasks/kiosk/calls", b'{"input":[1]}'),
    "feedback of nobody's call": ("/v1/calls/none/feedback", b'{"said":"accepted"}'),
    "an audit that names a path": ("/v1/audits", b'{"call":"../x","output":1}'),
    "messages without max_tokens": ("/v1/messages", b'{"model":"mock-small","messages":[1]}'),
    "responses with input of 5": ("/v1/responses", b'{"model":"mock-small","input":5}'),
    "embeddings without input": ("/v1/embeddings", b'{"model":"mock-small","input":{"a":1}}'),
}  # fmt: skip


def test_the_list_has_its_80_bodies() -> None:
    assert len(BODIES) == 80


@pytest.mark.parametrize(("path", "body"), BODIES.values(), ids=BODIES)
def test_a_bad_body_is_no_fault_of_the_server(server: Running, path: str, body: bytes) -> None:
    try:
        answer = httpx.post(
            server.url + path, content=body, headers=server.headers, timeout=_PATIENCE
        )
    except (httpx.WriteError, httpx.ReadError):
        assert len(body) > 10 << 20  # refused before it was read
    else:
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]
    _is_alive(server)


def _asking(body: bytes = _GOOD, *headers: bytes, line: bytes = b"", length: bool = True) -> bytes:
    """A request as bytes; KEY stands for the key."""
    head = [line or f"POST {_CHAT} HTTP/1.1".encode(), b"host: x", b"authorization: Bearer KEY"]
    head += [b"content-length: %d" % len(body)] if length else []
    return b"\r\n".join([*head, *headers]) + b"\r\n\r\n" + body


_CHUNKED = b"transfer-encoding: chunked"
RAW: dict[str, bytes] = {
    "CL and TE": _asking(b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n", _CHUNKED),
    "TE twice": _asking(b"0\r\n\r\n", _CHUNKED, b"transfer-encoding: identity", length=False),
    "a masked TE": _asking(b"0\r\n\r\n", b"transfer-encoding: xchunked", length=False),
    "two lengths": _asking(_GOOD, b"content-length: 3"),
    "a negative length": _asking(_GOOD, b"content-length: -1", length=False),
    "a length of text": _asking(_GOOD, b"content-length: ten", length=False),
    "a header of 1 MB": _asking(_GOOD, b"x-long: " + b"y" * (1 << 20)),
    "20,000 headers": _asking(_GOOD, *(b"x-%d: y" % i for i in range(20_000))),
    "a chunk of no size": _asking(b"zz\r\nhi\r\n0\r\n\r\n", _CHUNKED, length=False),
    "a chunk past 64 bits": _asking(b"f" * 17 + b"\r\nhi\r\n", _CHUNKED, length=False),
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + b"\x00" * 160,
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": _asking(line=b"GET /healthz HTTP/9.9"),
    "a header with a line break": _asking(_GOOD, b"x: a\n b", b" folded: y"),
    "a header with a NUL": _asking(_GOOD, b"x: \x00"),
    "a space before the colon": _asking(_GOOD, b"content-length : 5"),
    "a path of 100 kB": _asking(line=b"GET /" + b"a" * 100_000 + b" HTTP/1.1"),
    "a path that is no text": _asking(line=b"GET /\xff%ff%00 HTTP/1.1"),
    "an address for a path": _asking(line=b"GET http://127.0.0.1:1/healthz HTTP/1.1"),
}


def test_the_list_has_its_20_raw_requests() -> None:
    assert len(RAW) == 20


@pytest.mark.parametrize("sent", RAW.values(), ids=RAW)
def test_a_raw_request_of_ill_will_gets_an_answer_or_the_door(server: Running, sent: bytes) -> None:
    with _connected(server) as wire:
        heard = _say(wire, sent.replace(b"KEY", server.key.encode()))
    assert not _statuses(heard) or max(_statuses(heard)) < 500
    _is_alive(server)


def test_a_request_with_two_framings_is_never_read_as_two(server: Running) -> None:
    """A proxy before us may trust the other framing: what follows must not be obeyed."""
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with _connected(server) as wire:
        heard = _hear_all(wire, _asking(smuggled, _CHUNKED).replace(b"KEY", server.key.encode()))
    assert len(_statuses(heard)) <= 1
    assert 200 not in _statuses(heard)


_FRAGMENTS = (
    b"POST " + _CHAT.encode() + b" HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\n", b"\r\n",
    b"authorization: Bearer KEY\r\n", b"content-length: 5\r\n", _CHUNKED + b"\r\n", _GOOD, b"{",
    b"5\r\nhello\r\n", b"0\r\n\r\n", b"connection: close\r\n", b"expect: 100-continue\r\n",
    b"upgrade: websocket\r\nconnection: upgrade\r\n", _asking(), _asking()[:-9],
)  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(_FRAGMENTS), st.binary(max_size=80)), max_size=12))
@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bytes_come_there_is_an_answer_or_the_door(
    server: Running, sent: list[bytes]
) -> None:
    with _connected(server) as wire:
        wire.sendall(b"".join(sent).replace(b"KEY", server.key.encode()))
        wire.shutdown(socket.SHUT_WR)
        heard = _hear_all(wire, b"")
    assert not _statuses(heard) or max(_statuses(heard)) < 500


@pytest.mark.parametrize("cut", [1, 10, 60, len(_asking()) - 5])
def test_half_a_request_ends_with_its_client(server: Running, cut: int) -> None:
    with _connected(server) as wire:
        wire.sendall(_asking()[:cut])
        wire.shutdown(socket.SHUT_WR)
        heard = wire.recv(1 << 16)
    assert not _statuses(heard) or 400 <= max(_statuses(heard)) < 500
    _is_alive(server)


def test_pipelined_requests_are_all_answered_in_order(server: Running) -> None:
    one = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    other = b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with _connected(server) as wire:
        heard = _hear_all(wire, one + other + last)
    assert _statuses(heard) == [200, 404, 200]


_INJECTIONS = (
    "' OR '1'='1", "'; DROP TABLE records;--", "\" OR \"\"=\"", "1 UNION SELECT * FROM records",
    "admin'--", "') OR ('a'='a", "1;SELECT pg_sleep(9)", "%' AND 1=0 UNION ALL SELECT 1,2--",
    "../../../../etc/passwd", "..\\..\\windows\\win.ini", "....//....//etc/shadow", "/etc/passwd",
    "file:///etc/passwd", "C:\\boot.ini", "..%2f..%2fetc%2fpasswd", "%252e%252e%252f",
    "$(id)", "`id`", "; ls -la", "| cat /etc/passwd", "&& sleep 9", "|| true", "{ls,}", "${IFS}id",
    "{{7*7}}", "${7*7}", "<%= 7*7 %>", "#{7*7}", "{%import os%}", "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)",
    "\"><svg/onload=alert(1)>", "%s%s%s%n", "%x%x%x", "{0.__class__}", "%(key)s",
    "__import__('os').system('id')", "eval(1)", "*)(uid=*))(|(uid=*", "http://169.254.169.254/",
    "http://127.0.0.1:1", "gopher://127.0.0.1", "true; --", "null; undefined", "-1 OR 1",
    "\u202egnp.exe", "ｓｃｒｉｐｔ<", "🦀' OR 1",
)  # fmt: skip
_GUISES: tuple[Callable[[str], str], ...] = (
    str, lambda s: s.upper() + "A", lambda s: s * 3, lambda s: s[::-1] + "'",
    lambda s: f"01KAAA{s}", lambda s: f"kiosk{s}", lambda s: f"{s}#x", lambda s: f"a b{s}",
    lambda s: f"'{s}'", lambda s: f"{s}" + "A" * 150,
)  # fmt: skip
STRINGS = [guise(each) for each in _INJECTIONS for guise in _GUISES]

_PATHS = (
    ("GET", "/v1/calls/{}"), ("POST", "/v1/calls/{}/feedback"), ("POST", "/v1/tasks/{}/calls"),
    ("PUT", "/v1/tasks/{}"),
)  # fmt: skip
_GUARDS = ("authorization: Bearer {}", "authorization: {}", "x-api-key: {}")
_OTHERS = (
    "host", "user-agent", "accept", "content-type", "cookie", "origin", "referer", "via",
    "x-forwarded-for", "x-feilun-call", "openai-beta", "anthropic-beta", "traceparent",
)  # fmt: skip


def test_there_are_500_strings() -> None:
    assert len(set(STRINGS)) == 500


@pytest.mark.parametrize(("method", "path"), _PATHS)
def test_no_string_in_a_path_finds_or_breaks_anything(
    server: Running, method: str, path: str
) -> None:
    body = b'{"said":"accepted"}' if "feedback" in path else b"{}"
    with _Line(server) as line:
        for string in STRINGS:
            where = path.format(quote(string, safe="")).encode()
            head = f"authorization: Bearer {server.key}".encode()
            status = line.ask(method.encode() + b" " + where, head, body)
            assert 400 <= status < 500, (status, string)
    _is_alive(server)


@pytest.mark.parametrize("header", _GUARDS)
def test_no_string_opens_the_door(server: Running, header: str) -> None:
    with _Line(server) as line:
        for string in STRINGS:
            status = line.ask(f"POST {_CHAT}".encode(), header.format(string).encode(), _GOOD)
            assert 400 <= status < 500, (status, string)
    _is_alive(server)


def test_no_string_names_a_repeated_call(server: Running) -> None:
    with _Line(server) as line:
        for string in STRINGS:
            head = f"authorization: Bearer {server.key}\r\nidempotency-key: {string}".encode()
            status = line.ask(b"POST /v1/tasks/kiosk/calls", head, b'{"input":"tea"}')
            assert 400 <= status < 500, (status, string)
    _is_alive(server)


def test_no_string_in_the_other_headers_opens_or_breaks_anything(server: Running) -> None:
    with _Line(server) as line:
        for string in STRINGS:
            head = "\r\n".join(f"{name}: {string}" for name in _OTHERS).encode()
            assert 400 <= line.ask(f"POST {_CHAT}".encode(), head, _GOOD) < 500, string
    with _Line(server) as line:
        for string in STRINGS[::10]:  # with the key they are what a client may send
            for name in _OTHERS:
                head = f"authorization: Bearer {server.key}\r\n{name}: {string}".encode()
                assert line.ask(f"POST {_CHAT}".encode(), head, _GOOD) < 500, (name, string)
    _is_alive(server)


class _Line:
    """A connection that asks one request after the other, and is made anew when it was closed."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._wire = _connected(server)

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def ask(self, line: bytes, head: bytes, body: bytes) -> int:
        """The status of the answer; fails where there is none in time."""
        length = b"content-length: %d" % len(body)
        self._wire.sendall(line + b" HTTP/1.1\r\n" + head + b"\r\n" + length + b"\r\n\r\n" + body)
        heard = self._wire.recv(1 << 16)
        top, _, rest = heard.partition(b"\r\n\r\n")
        said = dict(h.split(b": ", 1) for h in top.split(b"\r\n")[1:])
        missing = int(said[b"content-length"]) - len(rest)
        while missing > 0:
            missing -= len(self._wire.recv(missing))
        if said.get(b"connection") == b"close":
            self._wire.close()
            self._wire = _connected(self._server)
        return _statuses(heard)[0]


def _connected(server: Running) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 80), timeout=_PATIENCE)


def _say(wire: socket.socket, sent: bytes) -> bytes:
    """What is heard first; nothing where the door is shut. A hang raises TimeoutError."""
    try:
        wire.sendall(sent)
        return wire.recv(1 << 16)
    except ConnectionError:
        return b""


def _hear_all(wire: socket.socket, sent: bytes) -> bytes:
    """All that is heard until the server closes."""
    heard = _say(wire, sent)
    until = monotonic() + _PATIENCE
    while monotonic() < until:
        try:
            piece = wire.recv(1 << 16)
        except ConnectionError:
            break
        if not piece:
            break
        heard += piece
    return heard


def _statuses(heard: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", heard)]


def _is_alive(server: Running) -> None:
    answer = httpx.post(
        server.url + _CHAT, content=_GOOD, headers=server.headers, timeout=_PATIENCE
    )
    assert answer.status_code == 200
