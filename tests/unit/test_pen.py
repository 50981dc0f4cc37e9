"""The pen goes on from the row that it wrote last, and notices where another one has written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feilun.errors import Conflict
from feilun.records import Call
from feilun.store import SqlStore, open_store
from feilun.testing.contracts_store import a_call


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def other(tmp_path: Path, store: SqlStore) -> Iterator[SqlStore]:  # noqa: ARG001 - made first
    """The same log, as another process has it."""
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def ids(store: SqlStore) -> list[str]:
    return [call.id for call in store.read(Call)]


def test_two_pens_take_turns_and_the_chain_holds(store: SqlStore, other: SqlStore) -> None:
    for number in range(20):
        (store, other, other)[number % 3].append(a_call(f"{number:02}"))
    assert ids(store) == [f"{number:02}" for number in range(20)]
    assert list(store.check()) == []
    assert store.head() == other.head()


@pytest.mark.parametrize("size", [1, 2, 5, 7, 33, 63, 64, 65, 200])
def test_groups_of_all_sizes_are_whole_and_in_order(store: SqlStore, size: int) -> None:
    store.append(a_call("first"))  # from here on the pen knows where the log ends
    calls = [a_call(f"{number:03}") for number in range(size)]
    store.append(*calls)
    store.append(a_call("last"))
    assert list(store.read(Call)) == [a_call("first"), *calls, a_call("last")]
    assert list(store.check()) == []


def test_a_taken_id_changes_nothing_and_the_next_append_goes_on(store: SqlStore) -> None:
    store.append(a_call("1"))
    store.append(a_call("2"))
    with pytest.raises(Conflict):
        store.append(a_call("3"), a_call("2", input="another"))
    store.append(a_call("2"))  # the same again is no news
    store.append(a_call("4"))
    assert ids(store) == ["1", "2", "4"]
    assert list(store.check()) == []
