"""`feilun keys` as people and scripts meet it. The secret is shown once and kept nowhere."""

import json
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from feilun.cli.keys import keys_app
from feilun.clock import SystemClock
from feilun.errors import AccessError, InputError, NotFound
from feilun.gateway.keys import Keys, latest
from feilun.records import Key, Limits, Money, Scope
from feilun.store import open_store


def run(store: Path, *words: str) -> Result:
    return CliRunner().invoke(keys_app, [*words, "--store", str(store)])


def create(store: Path, *words: str) -> str:
    done = run(store, "create", *words)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def find(store: Path, secret: str) -> Key:
    with closing(open_store(store)) as log:
        return Keys(log, SystemClock()).find([(b"x-api-key", secret.encode())])


def test_a_created_key_opens_and_has_what_it_was_given(tmp_path: Path) -> None:
    secret = create(
        tmp_path, "web", "--scope", "call", "--scope", "read", "--requests-per-minute", "60",
        "--tokens-per-day", "1000", "--money-per-month", "10.5 CNY", "--expires", "2999-01-01",
    )  # fmt: skip
    key = find(tmp_path, secret)
    assert (key.name, key.scopes) == ("web", (Scope.CALL, Scope.READ))
    assert key.expires == datetime(2999, 1, 1, tzinfo=UTC)
    assert key.limits == Limits(
        requests_per_minute=60,
        tokens_per_day=1000,
        money_per_month=Money(amount=Decimal("10.5"), currency="CNY"),
    )


def test_standard_output_is_the_secret_alone(tmp_path: Path) -> None:
    done = run(tmp_path, "create", "web")
    assert done.stdout.startswith("fl_live_")
    assert len(done.stdout.split()) == 1
    assert "not shown again" in done.stderr
    assert find(tmp_path, done.stdout.strip()).scopes == (Scope.CALL, Scope.FEEDBACK)


def test_json_has_the_secret_and_never_the_hash(tmp_path: Path) -> None:
    made = json.loads(create(tmp_path, "web", "--json"))
    key = find(tmp_path, made["secret"])
    assert made["key"]["key"] == key.key
    listed = run(tmp_path, "list", "--json").stdout
    assert json.loads(listed)["keys"] == [made["key"]]
    assert key.digest not in json.dumps(made) + listed
    assert made["secret"] not in listed


def test_a_revoked_key_opens_no_more_and_says_so_in_the_list(tmp_path: Path) -> None:
    secret = create(tmp_path, "web")
    assert run(tmp_path, "revoke", "web").exit_code == 0
    with pytest.raises(AccessError, match="revoked"):
        find(tmp_path, secret)
    (key,) = json.loads(run(tmp_path, "list", "--json").stdout)["keys"]
    assert (key["revoked"], key["state"]) == (True, "revoked")


def test_the_list_shows_names_scopes_and_limits(tmp_path: Path) -> None:
    create(tmp_path, "web", "--tokens-per-day", "1000", "--money-per-month", "5CNY")
    said = " ".join(run(tmp_path, "list").stdout.split())
    for words in ("web", "call", "1,000", "5 CNY", "live"):
        assert words in said


def test_a_name_may_look_like_markup(tmp_path: Path) -> None:
    create(tmp_path, "[/red] [bold]")
    assert "[/red] [bold]" in " ".join(run(tmp_path, "list").stdout.split())
    assert "[/red] [bold]" in run(tmp_path, "revoke", "[/red] [bold]").stdout


def test_no_file_of_the_store_has_a_secret(tmp_path: Path) -> None:
    secrets = [create(tmp_path, name) for name in ("one", "two")]
    create(tmp_path, "three", "--json")
    run(tmp_path, "revoke", "two")
    read = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"feedback" in read  # it is the log
    assert b"fl_live_" not in read
    assert [secret for secret in secrets if secret[8:40].encode() in read] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web", "--money-per-month", "ten CNY"), "no budget"),
        (("web", "--money-per-month", "0 CNY"), "no budget"),
        (("web", "--money-per-month", "-1 CNY"), "no budget"),
        (("web", "--money-per-month", "10 EUR"), "book of prices is in CNY"),
        (("web", "--expires", "soon"), "no moment"),
        (("web", "--expires", "2001-01-01"), "later moment"),
        (("",), "name"),
    ],
)
def test_what_cannot_be_used_is_refused_and_makes_no_key(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = run(tmp_path, "create", *words)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    with closing(open_store(tmp_path)) as log:
        assert latest(log) == []


def test_a_limit_below_one_is_refused_by_the_option(tmp_path: Path) -> None:
    for option in ("--requests-per-minute", "--tokens-per-day"):
        assert run(tmp_path, "create", "web", option, "0").exit_code == 2


def test_a_key_that_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    create(tmp_path, "web")
    assert isinstance(run(tmp_path, "revoke", "nobody").exception, NotFound)


def test_there_is_no_list_of_a_store_that_is_not_there(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "no", "list").exception, InputError)


@pytest.mark.parametrize("command", ["create", "list", "revoke"])
def test_every_command_has_an_example(command: str) -> None:
    said = CliRunner().invoke(keys_app, [command, "--help"]).stdout
    assert f"feilun keys {command}" in said
