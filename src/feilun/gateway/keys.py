"""Keys: who may ask. Secrets are made here, and credentials are read here and nowhere else.

The store has the sha256 of a secret and its last four characters. A slow hash would buy
nothing: a secret has 256 random bits, so there is no list of words to try.
"""

import re
import secrets
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr, ValidationError

from feilun.errors import AccessError, Conflict, InputError, NotFound
from feilun.models.wire import Headers
from feilun.ports import Clock, Store
from feilun.records import Key, Limits, Scope, digest

_PREFIX = "fl_live_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET = re.compile(rb"fl_live_[0-9A-Za-z]{49}")

# The OpenAI clients send the first, the Anthropic clients the second, Azure's the third.
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key"})

# Of the record of a store's first key. Two processes that start at once make it both, and
# the store keeps one.
_FIRST = "first"


@dataclass(frozen=True)
class Issued:
    """A new key and its secret. Nobody can show the secret again."""

    key: Key
    secret: SecretStr


# Making and ending keys


def issue(
    store: Store,
    clock: Clock,
    name: str,
    *,
    scopes: Sequence[Scope] = (Scope.CALL, Scope.FEEDBACK),
    limits: Limits | None = None,
    expires: datetime | None = None,
) -> Issued:
    """Make a key. Raises InputError for a name in use, and for what no key may say."""
    if any(key.name == name and not key.revoked for key in latest(store)):
        raise InputError(f"A key called {name!r} is in use. Take another name, or revoke it first.")
    if expires is not None and expires <= clock.now():
        raise InputError(f"A key that expires at {expires} is of no use. Name a later moment.")
    issued = _issued(clock, name, scopes, limits or Limits(), expires, clock.new_id())
    store.append(issued.key)
    return issued


def first_key(store: Store, clock: Clock) -> SecretStr | None:
    """The secret of a key that may do everything, where the store never had a key; else None."""
    if latest(store):
        return None
    issued = _issued(clock, "first", tuple(Scope), Limits(), None, _FIRST)
    try:
        store.append(issued.key)
    except Conflict:
        return None
    return issued.secret


def revoke(store: Store, clock: Clock, name_or_id: str) -> Key:
    """End a key, by its id or by the name of a live one. Gateways follow within a second."""
    keys = latest(store)
    found = [key for key in keys if key.key == name_or_id] or [
        key for key in keys if key.name == name_or_id and not key.revoked
    ]
    if not found:
        raise NotFound(f"No live key is called {name_or_id!r}. See `feilun keys list`.")
    if len(found) > 1:
        ids = ", ".join(key.key for key in found)
        raise InputError(f"Several keys are called {name_or_id!r}. Name one by its id: {ids}.")
    ended = found[0].model_copy(update={"id": clock.new_id(), "at": clock.now(), "revoked": True})
    store.append(ended)
    return ended


def latest(store: Store) -> list[Key]:
    """The state of each key that counts, in the order in which keys were made."""
    return list({key.key: key for key in store.read(Key)}.values())


# Admitting


@dataclass(frozen=True)
class _Snapshot:
    """The keys at some moment, and the headers by which live ones were shown since."""

    keys: dict[str, Key]  # by digest
    shown: dict[tuple[bytes, bytes], Key] = field(default_factory=dict)


class Keys:
    """The keys of a store as of the last `refresh`, ready to be asked on the hot path.

    `refresh` reads them again: after every change in this process, and every second for
    those of others (2 ms for 100 keys: call it in a thread). Where it raises,
    the keys stay what they were.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._snapshot = _Snapshot({})
        self._refreshing = threading.Lock()
        self.refresh()

    def refresh(self) -> None:
        """Follow what was issued and revoked. Raises StoreError."""
        with self._refreshing:  # who comes last has read last
            keys = {key.digest: key for key in latest(self._store)}
            if keys != self._snapshot.keys:
                self._snapshot = _Snapshot(keys)

    def all(self) -> list[Key]:
        """Every key, also those that have ended."""
        return list(self._snapshot.keys.values())

    def admit(self, headers: Headers, scope: Scope) -> Key:
        """The key of a request, if it may do this. AccessError says what is missing."""
        key = self.find(headers)
        if scope not in key.scopes and Scope.ADMIN not in key.scopes:
            raise AccessError(
                f"The key that ends in {key.last4} has no scope {scope.value!r}. Ask for a key "
                f"with it: `feilun keys create NAME --scope {scope.value}`.",
                status=403,
                code="insufficient_scope",
            )
        return key

    def find(self, headers: Headers) -> Key:
        """The live key that a request shows. Raises AccessError for none and for two."""
        shown = [header for header in headers if header[0] in _CREDENTIALS]
        snapshot = self._snapshot
        key = snapshot.shown.get(shown[0]) if len(shown) == 1 else None
        if key is None:
            key = _look_up(snapshot.keys, shown)
            # bounded: one space, and the cases of "bearer", are all the ways to show a key
            snapshot.shown.update(dict.fromkeys(shown, key))
        if key.expires is not None and key.expires <= self._clock.now():
            raise AccessError(
                f"The key that ends in {key.last4} expired on {key.expires:%Y-%m-%d %H:%M} UTC. "
                "Ask for a new one: `feilun keys create NAME`."
            )
        return key


def _look_up(keys: dict[str, Key], shown: Headers) -> Key:
    """The key of some credentials, which must all be the same one."""
    found = {_presented(*header) for header in shown}
    if not found:
        raise AccessError(
            "No key was sent. Send one as `Authorization: Bearer fl_live_...`, or make one: "
            "`feilun keys create NAME`."
        )
    if len(found) > 1:
        raise AccessError(
            "Two different credentials were sent. Send one key, in one of Authorization, "
            "x-api-key and api-key."
        )
    secret = found.pop()
    if not _whole(secret):
        raise AccessError(
            f"What was sent is no whole key: a key begins with {_PREFIX}, has 57 characters and "
            "a checksum in its last six. Copy it again from where it was made."
        )
    key = keys.get(digest(secret))
    if key is None:
        raise AccessError("This store has no such key. Make one: `feilun keys create NAME`.")
    if key.revoked:
        raise AccessError(f"The key that ends in {key.last4} was revoked. Ask for a new one.")
    return key


def _presented(name: bytes, value: bytes) -> bytes:
    """What a header shows as a key: all of it, or what follows `Bearer `."""
    if name != b"authorization":
        return value
    scheme, _, secret = value.partition(b" ")
    if scheme.lower() != b"bearer":
        raise AccessError(
            "The Authorization header has no Bearer key. Send `Authorization: Bearer fl_live_...`."
        )
    return secret


# Secrets


def _issued(
    clock: Clock,
    name: str,
    scopes: Sequence[Scope],
    limits: Limits,
    expires: datetime | None,
    id: str,
) -> Issued:
    secret = _new_secret()
    try:
        key = Key(
            id=id, task="*", at=clock.now(), key=clock.new_id(), name=name,
            digest=digest(secret.encode()), last4=secret[-4:], scopes=tuple(scopes),
            limits=limits, expires=expires,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InputError(f"The key's {first['loc'][0]}: {first['msg']}.") from error
    return Issued(key, SecretStr(secret))


def _new_secret() -> str:
    """256 random bits and their checksum, so that a slip of the mouse is told from a stranger."""
    body = _PREFIX + _base62(secrets.randbits(256), 43)
    return body + _checksum(body.encode())


def _whole(secret: bytes) -> bool:
    return _SECRET.fullmatch(secret) is not None and _checksum(secret[:-6]).encode() == secret[-6:]


def _checksum(body: bytes) -> str:
    return _base62(zlib.crc32(body), 6)


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, last = divmod(number, 62)
        digits = _ALPHABET[last] + digits
    return digits
