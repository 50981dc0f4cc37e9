"""Following feilun.toml: what people write is taken over, what they break changes nothing."""

import logging
from pathlib import Path

import pytest

from feilun.errors import InputError
from feilun.gateway.following import Engines, EnginesFile

ONE = '[engines.one]\nurl = "http://127.0.0.1:9/v1"\nmodels = ["a"]\n'
TWO = '[engines.two]\nurl = "http://127.0.0.1:9/v1"\nmodels = ["b"]\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "feilun.toml"
    found.write_text(ONE, encoding="utf-8")
    return found


def look(file: EnginesFile) -> Engines | None:
    """Look as often as it takes to know that what is there stays."""
    assert file.changes() is None
    return file.changes()


def test_a_file_that_nobody_touches_is_no_news(path: Path, tmp_path: Path) -> None:
    assert look(EnginesFile(path)) is None
    assert look(EnginesFile(tmp_path / "none.toml")) is None


def test_engines_and_aliases_are_taken_over_and_what_did_not_change_keeps_its_server(
    path: Path,
) -> None:
    file = EnginesFile(path)
    (one,) = file.servers
    path.write_text(ONE + TWO + '[aliases]\nbest = ["a", "b"]\n', encoding="utf-8")
    found = look(file)
    assert found is not None
    assert [each.name for each in found.servers] == ["one", "two"]
    assert found.servers[0] is one
    assert found.aliases == {"best": ("a", "b")}
    path.write_text(ONE.replace('"a"', '"a", "c"') + TWO, encoding="utf-8")
    changed = look(file)
    assert changed is not None
    assert changed.servers[0] is not one
    assert changed.servers[0].models == ["a", "c"]
    assert changed.servers[1] is found.servers[1]


def test_half_a_file_is_not_taken_for_a_whole_one(path: Path) -> None:
    path.write_text(ONE + TWO, encoding="utf-8")
    file = EnginesFile(path)
    path.write_text(ONE, encoding="utf-8")  # as an editor does on its way
    assert file.changes() is None
    path.write_text(ONE + TWO + "\n", encoding="utf-8")
    found = look(file)
    assert found is not None
    assert [each.name for each in found.servers] == ["one", "two"]


@pytest.mark.parametrize(
    "text",
    [None, "[engines", "a = " + "[" * 100_000, '[engines.one]\nurl = "ftp://x"',
     ONE + 'key_env = "NO_SUCH_VARIABLE_IN_X"', ONE + "news = 1"],
    ids=["gone", "no TOML", "much too deep", "no URL", "no key", "an unknown word"],
)  # fmt: skip
def test_a_broken_file_keeps_the_engines_and_the_log_says_so_once(
    path: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = EnginesFile(path)
    before = file.servers
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert [look(file) for _ in range(3)] == [None] * 3
    assert file.servers is before
    assert file.broken is not None
    assert [record.getMessage() for record in caplog.records] == [
        f"The engines stay as they were. {file.broken}"
    ]
    path.write_text(ONE, encoding="utf-8")
    found = look(file)
    assert found is not None
    assert found.servers == before
    assert file.broken is None


def test_a_key_that_comes_after_its_engine_or_changes_is_taken_over(path: Path) -> None:
    file = EnginesFile(path)
    key = path.with_name("key")
    path.write_text(ONE + TWO + f'key_file = "{key}"\n', encoding="utf-8")
    assert look(file) is None
    assert file.broken is not None
    key.write_text("sk-first\n", encoding="utf-8")
    found = file.changes()
    assert found is not None
    assert (b"authorization", b"Bearer sk-first") in found.servers[1].headers
    look(file)  # the key's file is watched from now on
    key.write_text("sk-second-longer\n", encoding="utf-8")
    changed = look(file)
    assert changed is not None
    assert changed.servers[0] is found.servers[0]
    assert (b"authorization", b"Bearer sk-second-longer") in changed.servers[1].headers


def test_a_file_that_is_broken_at_the_start_is_an_error(path: Path) -> None:
    path.write_text("[engines", encoding="utf-8")
    with pytest.raises(InputError, match="is not TOML"):
        EnginesFile(path)
