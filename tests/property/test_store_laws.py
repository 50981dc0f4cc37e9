"""The law of the log: what is read is the list of what was appended, whatever it was."""

import tempfile
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feilun.errors import Conflict, NotFound
from feilun.ports import Store
from feilun.records import Audit, Call, Feedback, Json, Record
from feilun.store import open_store
from feilun.testing import MemoryStore

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
# Few ids and tasks, so that records meet.
ids = st.sampled_from("abcdef") | text.filter(lambda name: "\0" not in name)
tasks = st.sampled_from(["one", "two", "二"])
instants = st.datetimes(timezones=st.just(UTC))
rates = st.floats(0, 1, exclude_min=True)

calls = st.builds(
    Call, version=st.just(1), id=ids, task=tasks, at=instants, input=json, output=json,
    variant=text, by=st.sampled_from(["teacher", "student"]),
    confidence=st.none() | st.floats(0, 1), tokens_in=st.none() | st.integers(0),
    seconds=st.floats(0, 1e9), audit_rate=rates, parent=st.none() | text,
)  # fmt: skip
feedback = st.builds(
    Feedback, version=st.just(1), id=ids, task=tasks, at=instants, call=text,
    said=st.sampled_from(["correction", "outcome"]), output=json,
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
audits = st.builds(
    Audit, version=st.just(1), id=ids, task=tasks, at=instants, call=text, rate=rates,
    output=json, by=st.sampled_from(["person", "teacher"]),
)  # fmt: skip
records: st.SearchStrategy[Record] = calls | feedback | audits

# Some appends repeat a record of before, or use its id for another one.
appends = st.lists(st.lists(records, max_size=5), max_size=8).flatmap(
    lambda batches: st.permutations(batches + batches[:3])
)


class ListModel:
    """The log as a list: what every store must be equal to."""

    def __init__(self) -> None:
        self.log: list[Record] = []

    def append(self, batch: list[Record]) -> bool:
        after = list(self.log)
        for record in batch:
            same = [old for old in after if (old.kind, old.id) == (record.kind, record.id)]
            if not same:
                after.append(record)
            elif same != [record]:
                return False
        self.log = after
        return True


def check(store: Store, batches: list[list[Record]]) -> None:
    model = ListModel()
    for batch in batches:
        if model.append(batch):
            store.append(*batch)
        else:
            with pytest.raises(Conflict):
                store.append(*batch)
    for kind in (Call, Feedback, Audit):
        expected = [record for record in model.log if isinstance(record, kind)]
        assert list(store.read(kind)) == expected
        for record in expected:
            assert store.get(kind, record.id) == record
            of_task = [other for other in expected if other.task == record.task]
            assert list(store.read(kind, task=record.task)) == of_task
        with pytest.raises(NotFound):
            store.get(kind, "never appended")


@settings(deadline=None, max_examples=100)
@given(appends)
def test_the_fake_is_equal_to_a_list(batches: list[list[Record]]) -> None:
    with closing(MemoryStore()) as store:
        check(store, batches)


@settings(deadline=None, max_examples=40)
@given(appends)
def test_the_database_is_equal_to_a_list(batches: list[list[Record]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_store(Path(folder))) as store,
    ):
        check(store, batches)
