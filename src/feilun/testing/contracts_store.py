"""The contract of the `Store` port, as tests that every store passes.

Subclass `StoreContract`, give the fixtures `store`, `spoil`, `take_out` and `spoil_blob`,
and pytest runs the rest. Call `pytest.register_assert_rewrite` with this module's name
before importing it, and a failure shows the values.
"""
# ruff: noqa: S101 - these are tests, and tests assert

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from feilun.errors import Conflict, Damaged, NotFound, StoreError
from feilun.ports import Head, Store
from feilun.records import Audit, Call, Feedback, Json, Record, digest

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_call(id: str, *, task: str = "triage", input: Json = "hello", minutes: int = 0) -> Call:
    """A call with content that a test need not care about."""
    return Call(
        id=id,
        task=task,
        at=_NOON + timedelta(minutes=minutes),
        input=input,
        output={"label": "好"},
        variant="teacher",
        by="teacher",
    )


def an_audit(id: str, call: str) -> Audit:
    """An audit of a call, by a person."""
    return Audit(id=id, task="triage", at=_NOON, call=call, rate=0.25, output="right", by="person")


class StoreContract:
    """What every store promises. See `feilun.ports.Store` for the words."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty, open store; close it after the test."""
        raise NotImplementedError("give the suite a store to test")

    @pytest.fixture
    def spoil(self) -> Callable[[Record], None]:
        """Something that damages a stored record of `store`."""
        raise NotImplementedError("say how a record of this store is damaged")

    @pytest.fixture
    def take_out(self) -> Callable[[Record], None]:
        """Something that makes a stored record of `store` vanish."""
        raise NotImplementedError("say how a record of this store is taken out")

    @pytest.fixture
    def spoil_blob(self) -> Callable[[str], None]:
        """Something that damages the blob of `store` at a digest."""
        raise NotImplementedError("say how a blob of this store is damaged")

    def test_an_empty_store_reads_nothing(self, store: Store) -> None:
        """No record, no error."""
        assert list(store.read(Call)) == []

    def test_a_record_comes_back_equal(self, store: Store) -> None:
        """Unicode, control characters, nesting and numbers survive."""
        call = a_call("1", input={"文": ["\u0000\n\"'\\🙂", None, True, 1.5e300, -0.1, 2**70, ""]})
        store.append(call)
        assert store.get(Call, "1") == call
        assert list(store.read(Call)) == [call]

    def test_records_are_read_in_the_order_in_which_they_were_appended(self, store: Store) -> None:
        """Not in the order of their ids or of their times."""
        calls = [a_call(id, minutes=-n) for n, id in enumerate("cabfed")]
        store.append(*calls[:2])
        store.append(*calls[2:])
        assert list(store.read(Call)) == calls

    def test_a_long_log_is_read_whole_and_in_order(self, store: Store) -> None:
        """Longer than any page."""
        calls = [a_call(f"{n}") for n in range(1001)]
        store.append(*calls)
        assert list(store.read(Call)) == calls

    def test_each_kind_is_read_alone(self, store: Store) -> None:
        """Two kinds may use the same id."""
        call, audit = a_call("1"), an_audit("1", call="1")
        store.append(call, audit)
        assert list(store.read(Call)) == [call]
        assert list(store.read(Audit)) == [audit]
        assert list(store.read(Feedback)) == []

    def test_each_task_can_be_read_alone(self, store: Store) -> None:
        """The task's name must match whole."""
        one, two = a_call("1", task="one"), a_call("2", task="one more")
        store.append(one, two)
        assert list(store.read(Call, task="one")) == [one]
        assert list(store.read(Call, task="none")) == []

    def test_a_read_does_not_see_what_is_appended_after_the_call(self, store: Store) -> None:
        """The moment that counts is the call, not the first record taken."""
        store.append(a_call("1"))
        reading = store.read(Call)
        store.append(a_call("2"))
        assert [call.id for call in reading] == ["1"]

    def test_a_reader_goes_on_where_a_head_says_that_it_stood(self, store: Store) -> None:
        """And another reads the log as it was then."""
        calls = [a_call(f"{n}") for n in range(1001)]
        store.append(*calls[:400])
        stood = store.head().seq
        store.append(an_audit("1", call="1"), *calls[400:])
        assert list(store.read(Call, after=stood)) == calls[400:]
        assert list(store.read(Call, until=stood)) == calls[:400]
        assert list(store.read(Call, after=stood, until=stood)) == []
        assert list(store.read(Audit, "none", after=stood)) == []

    def test_a_read_may_be_left_half_way(self, store: Store) -> None:
        """And the store goes on."""
        store.append(*[a_call(f"{n}") for n in range(3)])
        next(store.read(Call))
        store.append(a_call("3"))
        assert len(list(store.read(Call))) == 4

    def test_the_same_record_again_is_no_news(self, store: Store) -> None:
        """In another append, and within one."""
        call = a_call("1")
        store.append(call)
        store.append(call)
        store.append(call, a_call("2"), a_call("2"))
        assert [stored.id for stored in store.read(Call)] == ["1", "2"]

    def test_other_content_under_a_used_id_is_a_conflict_and_the_first_stands(
        self, store: Store
    ) -> None:
        """The message names the record."""
        first = a_call("1")
        store.append(first)
        with pytest.raises(Conflict, match="call '1'"):
            store.append(a_call("1", input="other"))
        assert list(store.read(Call)) == [first]

    def test_an_append_that_fails_stores_none_of_its_records(self, store: Store) -> None:
        """A conflict with the log or within the append itself, or a record without JSON."""
        store.append(a_call("1"))
        with pytest.raises(Conflict):
            store.append(a_call("2"), a_call("1", input="other"), a_call("3"))
        with pytest.raises(Conflict):
            store.append(a_call("2"), a_call("2", input="other"))
        with pytest.raises(StoreError):
            store.append(a_call("2"), a_call("3", input="\ud800"))
        assert [call.id for call in store.read(Call)] == ["1"]
        store.append(a_call("2"))
        assert [call.id for call in store.read(Call)] == ["1", "2"]

    @pytest.mark.parametrize(
        "input", ["\ud800", object(), float("nan")], ids=["half a letter", "object", "NaN"]
    )
    def test_a_record_without_a_json_form_is_refused_by_name(
        self, store: Store, input: Json
    ) -> None:
        """The message says what may be stored."""
        with pytest.raises(StoreError, match=r"call '1' .*JSON"):
            store.append(a_call("1", input=input))

    @pytest.mark.parametrize("name", ["a\0b", "长" * 400], ids=["NUL", "long"])
    def test_a_name_that_not_every_database_can_hold_is_refused(
        self, store: Store, name: str
    ) -> None:
        """By all of them, so that a log can move."""
        with pytest.raises(StoreError, match="the id of a call"):
            store.append(a_call(name))
        with pytest.raises(StoreError, match="the task of a call"):
            store.append(a_call("1", task=name))

    def test_a_name_of_a_thousand_letters_is_kept(self, store: Store) -> None:
        """As long as names may be, without a pattern that compresses."""
        letters = "".join(digest(f"{n}".encode()) for n in range(16))
        call = a_call(letters, task=letters[::-1])
        store.append(call)
        assert store.get(Call, letters) == call
        assert list(store.read(Call, task=letters[::-1])) == [call]

    def test_an_append_of_nothing_does_nothing(self, store: Store) -> None:
        """And is allowed."""
        store.append()
        assert list(store.read(Call)) == []

    def test_an_id_that_was_never_appended_is_not_found(self, store: Store) -> None:
        """Nor is one that another kind used."""
        store.append(a_call("1"))
        with pytest.raises(NotFound, match="feedback '1'"):
            store.get(Feedback, "1")

    def test_a_record_that_was_damaged_is_named_and_its_neighbours_are_read(
        self, store: Store, spoil: Callable[[Record], None]
    ) -> None:
        """By `get` and by `read`, and neither gives the wrong content."""
        calls = [a_call(id) for id in "123"]
        store.append(*calls)
        spoil(calls[1])
        with pytest.raises(Damaged, match=r"call '2'.*row 2"):
            store.get(Call, "2")
        reading = store.read(Call)
        assert next(reading) == calls[0]
        with pytest.raises(Damaged, match=r"call '2'.*row 2"):
            next(reading)
        assert store.get(Call, "3") == calls[2]

    def test_a_log_that_is_whole_has_no_flaw_and_contains_all_its_heads(self, store: Store) -> None:
        """From the empty one on, across pages, repeats and refused appends."""
        heads = [store.head()]
        for n in range(3):
            store.append(*[a_call(f"{n}-{part}") for part in range(150)])
            store.append(an_audit(f"{n}", call="1"), a_call("0-0"))
            with pytest.raises(Conflict):
                store.append(a_call("news"), a_call("0-0", input="other"))
            heads.append(store.head())
        assert [head.seq for head in heads] == [0, 151, 302, 453]
        assert [list(store.check(head)) for head in (None, *heads)] == [[]] * 5

    def test_a_check_tells_its_progress_and_ends_with_all(self, store: Store) -> None:
        """In rows."""
        told: list[tuple[int, int]] = []
        store.append(*[a_call(f"{n}") for n in range(450)])
        list(store.check(progress=lambda done, total: told.append((done, total))))
        assert told[-1] == (450, 450)
        assert told == sorted(told)

    def test_a_check_names_the_one_record_that_is_not_what_was_appended(
        self, store: Store, spoil: Callable[[Record], None]
    ) -> None:
        """Whatever the kind; those around it are sound."""
        audit = an_audit("2", call="1")
        store.append(a_call("1"), audit, a_call("3"))
        spoil(audit)
        (flaw,) = store.check()
        assert (flaw.seq, flaw.kind, flaw.id) == (2, "audit", "2")
        assert "does not match its digest" in flaw.problem

    def test_a_record_that_was_taken_out_shows_in_the_next_one(
        self, store: Store, take_out: Callable[[Record], None]
    ) -> None:
        """And nowhere else."""
        calls = [a_call(f"{n}") for n in range(1, 6)]
        store.append(*calls)
        take_out(calls[2])
        (flaw,) = store.check()
        assert (flaw.seq, flaw.kind, flaw.id) == (4, "call", "4")
        assert "taken out between it and row 2" in flaw.problem

    def test_a_cut_off_end_shows_only_against_a_head_that_was_noted(
        self, store: Store, take_out: Callable[[Record], None]
    ) -> None:
        """The log without it is a log like any other."""
        store.append(a_call("1"), a_call("2"))
        head = store.head()
        take_out(a_call("2"))
        assert list(store.check()) == []
        (flaw,) = store.check(head)
        assert flaw.seq == 2
        assert "the log ends at row 1" in flaw.problem

    def test_another_past_shows_against_a_head_that_was_noted(self, store: Store) -> None:
        """Even where its own chain is in order."""
        store.append(a_call("1"), a_call("2"))
        (flaw,) = store.check(Head(1, store.head().chain))
        assert (flaw.seq, flaw.id) == (1, "1")
        assert "written anew" in flaw.problem

    @pytest.mark.parametrize("data", [b"", b"\0\xff" * 70_000], ids=["empty", "long"])
    def test_a_blob_comes_back_from_its_sha256(self, store: Store, data: bytes) -> None:
        """Put twice, it has the same address."""
        address = store.put(data)
        assert address == digest(data) == store.put(data)
        assert store.fetch(address) == data

    def test_a_blob_that_was_never_put_is_not_found(self, store: Store) -> None:
        """The message names it."""
        with pytest.raises(NotFound, match=digest(b"never")):
            store.fetch(digest(b"never"))

    @pytest.mark.parametrize("address", ["", "../../etc/passwd", "A" * 64, "0" * 63 + "/"])
    def test_what_is_no_address_fetches_nothing(self, store: Store, address: str) -> None:
        """Whatever it is."""
        with pytest.raises(StoreError):
            store.fetch(address)

    def test_a_damaged_blob_is_never_returned_and_can_be_put_again(
        self, store: Store, spoil_blob: Callable[[str], None]
    ) -> None:
        """Whoever has the right bytes repairs it."""
        address = store.put(b"weights")
        spoil_blob(address)
        with pytest.raises(Damaged, match=address):
            store.fetch(address)
        store.put(b"weights")
        assert store.fetch(address) == b"weights"

    def test_appends_of_many_threads_are_all_kept_each_in_one_piece(self, store: Store) -> None:
        """Records of one append stand together in the log."""

        def append(n: int) -> None:
            store.append(*[a_call(f"{n}-{part}", task=f"{n}") for part in range(3)])

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(append, range(40)))
        tasks = [call.task for call in store.read(Call)]
        assert sorted(tasks) == sorted(f"{n}" for n in range(40) for _ in range(3))
        assert all(len(set(tasks[i : i + 3])) == 1 for i in range(0, 120, 3))

    def test_of_two_threads_with_one_id_exactly_one_wins(self, store: Store) -> None:
        """And the other learns it."""

        def append(n: int) -> bool:
            try:
                store.append(a_call("1", input=n))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(append, range(8)))
        assert won.count(True) == 1
        assert store.get(Call, "1").input == won.index(True)

    def test_a_closed_store_refuses_everything_and_may_be_closed_again(self, store: Store) -> None:
        """It never pretends to have stored or found something."""
        store.append(a_call("1"))
        store.close()
        store.close()
        for use in (
            lambda: store.append(a_call("2")),
            lambda: store.read(Call),
            lambda: store.get(Call, "1"),
            lambda: store.put(b""),
            lambda: store.fetch(digest(b"")),
            lambda: store.head(),
            lambda: store.check(),
        ):
            with pytest.raises(StoreError, match="closed"):
                use()
