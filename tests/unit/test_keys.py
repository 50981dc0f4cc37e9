"""Keys: who may ask. What is shown is a key, or it is refused with the next step."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from feilun.errors import AccessError, InputError, NotFound, StoreError
from feilun.gateway.keys import Issued, Keys, first_key, issue, latest, revoke
from feilun.models.wire import Headers
from feilun.records import Key, Limits, Money, Scope, digest
from feilun.store import open_store
from feilun.testing import FakeClock, MemoryStore

OTHERS: Headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]


class Door:
    """A store, its clock and the keys a gateway knows."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), FakeClock()
        self.keys = Keys(self.store, self.clock)

    def issue(self, name: str = "app", **more: object) -> Issued:
        issued = issue(self.store, self.clock, name, **more)  # type: ignore[arg-type]
        self.keys.refresh()
        return issued

    def refusal(self, headers: Headers) -> AccessError:
        with pytest.raises(AccessError) as caught:
            self.keys.find(headers)
        return caught.value


@pytest.fixture
def door() -> Door:
    return Door()


def bearer(secret: SecretStr | str) -> Headers:
    text = secret if isinstance(secret, str) else secret.get_secret_value()
    return [*OTHERS, (b"authorization", b"Bearer " + text.encode())]


def under(name: bytes, secret: SecretStr) -> Headers:
    return [*OTHERS, (name, secret.get_secret_value().encode())]


# Secrets


def test_a_secret_has_256_bits_of_chance_and_a_checksum(door: Door) -> None:
    secrets = {door.issue(f"k{n}").secret.get_secret_value() for n in range(50)}
    assert len(secrets) == 50
    assert {len(secret) for secret in secrets} == {57}
    assert all(secret.startswith("fl_live_") and secret[8:].isalnum() for secret in secrets)


def test_the_record_has_the_hash_of_the_secret_and_its_last_four_characters(door: Door) -> None:
    issued = door.issue()
    secret = issued.secret.get_secret_value()
    assert issued.key.digest == digest(secret.encode())
    assert issued.key.last4 == secret[-4:]
    assert secret not in repr(issued)
    assert secret not in issued.key.model_dump_json()


def test_no_file_of_the_store_has_a_secret(tmp_path: Path) -> None:
    clock = FakeClock()
    with closing(open_store(tmp_path)) as store:
        secrets = [first_key(store, clock), *(issue(store, clock, n).secret for n in ("a", "b"))]
        Keys(store, clock).find(bearer(secrets[1] or ""))
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        read = b"".join(file.read_bytes() for file in files)
    assert b"01" in read
    assert [s for s in secrets if s and s.get_secret_value()[8:].encode() in read] == []
    with closing(sqlite3.connect(tmp_path / "feilun.db")) as database:
        dump = "\n".join(database.iterdump())
    assert [s for s in secrets if s and s.get_secret_value()[8:] in dump] == []
    assert latest_digest(dump, secrets[2])


def latest_digest(dump: str, secret: SecretStr | None) -> bool:
    """Whether the dump is of the store at all: it has the digest where it has no secret."""
    return secret is not None and digest(secret.get_secret_value().encode()) in dump


# Showing a key


@pytest.mark.parametrize("name", [b"x-api-key", b"api-key"])
def test_each_clients_way_to_send_a_key_finds_the_same_key(door: Door, name: bytes) -> None:
    issued = door.issue()
    for headers in (bearer(issued.secret), under(name, issued.secret)):
        assert door.keys.find(headers) == issued.key
        assert door.keys.find(headers) == issued.key  # as remembered, too


def test_the_scheme_may_be_written_in_any_case(door: Door) -> None:
    issued = door.issue()
    secret = issued.secret.get_secret_value().encode()
    assert door.keys.find([(b"authorization", b"bearer " + secret)]) == issued.key


def test_a_remembered_key_opens_only_in_the_header_where_it_was_shown(door: Door) -> None:
    issued = door.issue()
    shown = b"Bearer " + issued.secret.get_secret_value().encode()
    door.keys.find([(b"authorization", shown)])
    assert "no whole key" in str(door.refusal([(b"x-api-key", shown)]))


def test_the_same_key_twice_is_one_key(door: Door) -> None:
    issued = door.issue()
    headers = bearer(issued.secret) + under(b"x-api-key", issued.secret)
    assert door.keys.find(headers) == issued.key


def test_two_different_credentials_are_refused_whichever_of_them_is_good(door: Door) -> None:
    one, two = door.issue("one"), door.issue("two")
    for headers in (
        bearer(one.secret) + under(b"x-api-key", two.secret),
        under(b"x-api-key", one.secret) + bearer("sk-proj-something"),
        [*bearer(one.secret), (b"api-key", b"")],
    ):
        assert "Two different credentials" in str(door.refusal(headers))


def test_a_request_without_a_key_hears_how_to_send_one(door: Door) -> None:
    refused = door.refusal(OTHERS)
    assert (refused.status, refused.code) == (401, "invalid_api_key")
    assert "Authorization: Bearer" in str(refused)


def test_a_mistyped_key_is_told_from_an_unknown_one(door: Door) -> None:
    secret = door.issue().secret.get_secret_value()
    slip = secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:]
    assert "no whole key" in str(door.refusal(bearer(slip)))
    assert "no whole key" in str(door.refusal(bearer(secret[:-1])))
    stranger = issue(MemoryStore(), FakeClock(), "elsewhere").secret
    assert "no such key" in str(door.refusal(bearer(stranger)))


def injections() -> Iterator[bytes]:
    chance = random.Random(0)  # noqa: S311 - test data, no secret
    pieces = [
        b"' OR 1=1 --", b"'; DROP TABLE log; --", b"${jndi:ldap://x}", b"../../etc/passwd",
        b"\x00", b"\xff\xfe", b"\r\nX: y", b"{{7*7}}", b"<script>", b"Bearer ", b"bearer\t",
        b"fl_live_", b"Basic dTpw", b"\xf0\x9f\x98\x80", b"%00", b"\\u0000", b" " * 300,
        b"a" * 4000,
    ]  # fmt: skip
    for _ in range(500):
        yield b"".join(chance.choices(pieces, k=chance.randint(1, 4)))


def test_500_injections_in_every_header_are_refused_and_change_nothing(door: Door) -> None:
    issued = door.issue()
    for text in injections():
        for name in (b"authorization", b"x-api-key", b"api-key"):
            for value in (text, b"Bearer " + text):
                refused = door.refusal([*OTHERS, (name, value)])
                assert refused.status == 401
                assert text.decode("latin-1") not in str(refused) or len(text) < 9
    assert door.keys.find(bearer(issued.secret)) == issued.key
    assert latest(door.store) == [issued.key]


# Ending a key


def test_a_revoked_key_is_refused_from_the_next_refresh_on(door: Door) -> None:
    issued = door.issue()
    door.keys.find(bearer(issued.secret))  # remembered
    revoke(door.store, door.clock, "app")
    door.keys.refresh()
    refused = door.refusal(bearer(issued.secret))
    assert (refused.status, "revoked" in str(refused)) == (401, True)


def test_another_processs_key_is_known_from_the_next_refresh_on(door: Door) -> None:
    issued = issue(door.store, door.clock, "new")
    assert "no such key" in str(door.refusal(bearer(issued.secret)))
    door.keys.refresh()
    assert door.keys.find(bearer(issued.secret)) == issued.key


def test_a_key_ends_at_its_moment_also_where_it_is_remembered(door: Door) -> None:
    issued = door.issue(expires=door.clock.now() + timedelta(hours=1))
    door.clock.advance(timedelta(minutes=59))
    assert door.keys.find(bearer(issued.secret)) == issued.key
    door.clock.advance(timedelta(minutes=1))
    assert "expired on 2026-01-01 01:00 UTC" in str(door.refusal(bearer(issued.secret)))


def test_a_store_that_is_away_leaves_the_keys_as_they_were(door: Door) -> None:
    issued = door.issue()
    door.store.close()
    with pytest.raises(StoreError):
        door.keys.refresh()
    assert door.keys.find(bearer(issued.secret)) == issued.key


def test_a_key_is_revoked_by_its_id_where_two_have_its_name(door: Door) -> None:
    issued = door.issue()
    twin = issued.key.model_copy(update={"id": "t", "key": "twin", "digest": "0" * 64})
    door.store.append(twin)
    with pytest.raises(InputError, match=f"by its id: {issued.key.key}, twin"):
        revoke(door.store, door.clock, "app")
    revoke(door.store, door.clock, "twin")
    assert {key.key: key.revoked for key in latest(door.store)} == {
        issued.key.key: False,
        "twin": True,
    }


def test_what_is_no_key_cannot_be_revoked(door: Door) -> None:
    door.issue()
    revoke(door.store, door.clock, "app")
    for name in ("app", "nobody"):
        with pytest.raises(NotFound, match="feilun keys list"):
            revoke(door.store, door.clock, name)


# Scopes


def test_a_key_may_do_what_its_scopes_say(door: Door) -> None:
    issued = door.issue(scopes=[Scope.CALL])
    assert door.keys.admit(bearer(issued.secret), Scope.CALL) == issued.key
    with pytest.raises(AccessError, match="no scope 'feedback'") as caught:
        door.keys.admit(bearer(issued.secret), Scope.FEEDBACK)
    assert (caught.value.status, caught.value.code) == (403, "insufficient_scope")


def test_an_admins_key_may_do_everything(door: Door) -> None:
    issued = door.issue(scopes=[Scope.ADMIN])
    for scope in Scope:
        assert door.keys.admit(bearer(issued.secret), scope) == issued.key


# Making a key


def test_the_first_key_may_do_everything_and_is_made_once(door: Door) -> None:
    secret = first_key(door.store, door.clock)
    assert secret is not None
    assert first_key(door.store, door.clock) is None
    door.keys.refresh()
    assert set(door.keys.find(bearer(secret)).scopes) == set(Scope)


class Late(MemoryStore):
    """A process looks, and another one writes before it does."""

    def read(self, *_: object) -> Iterator[Key]:  # type: ignore[override]
        return iter(())


def test_of_two_processes_that_make_a_first_key_at_once_one_succeeds() -> None:
    late = Late()
    assert first_key(late, FakeClock(seed=1)) is not None
    assert first_key(late, FakeClock(seed=2)) is None


def test_a_store_whose_keys_were_all_revoked_gets_no_new_first_key(door: Door) -> None:
    first_key(door.store, door.clock)
    revoke(door.store, door.clock, "first")
    assert first_key(door.store, door.clock) is None


def test_a_name_is_free_again_once_its_key_is_revoked(door: Door) -> None:
    door.issue()
    with pytest.raises(InputError, match="'app' is in use"):
        door.issue()
    revoke(door.store, door.clock, "app")
    assert door.issue().key.name == "app"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "line\nbreak"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"expires": datetime(2025, 1, 1, tzinfo=UTC)}, "later moment"),
    ],
)
def test_what_no_key_may_say_is_refused(door: Door, more: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        door.issue(**more)  # type: ignore[arg-type]
    assert list(door.store.read(Key)) == []


@pytest.mark.parametrize(
    "limits",
    [
        {"requests_per_minute": 0},
        {"requests_per_minute": 100_001},
        {"tokens_per_day": -1},
        {"money_per_month": Money(amount=Decimal(0), currency="CNY")},
        {"money_per_month": Money(amount=Decimal(-5), currency="CNY")},
    ],
)
def test_a_limit_is_above_zero(limits: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(limits)
