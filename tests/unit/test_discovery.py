"""Raw traffic becomes proposals, adoptions, and calls of tasks with the same client in front."""
# ruff: noqa: S311 - seeded chance, no secrets

import json
import random
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feilun.apps.daily import sample
from feilun.cli.tasks import tasks_app
from feilun.discovery import Matcher, Proposal, WhyNot, adoption, propose, read, render
from feilun.discovery.request import read_request
from feilun.discovery.template import GAP, fits, learn
from feilun.errors import NotFound, TaskError
from feilun.house import House
from feilun.records import RAW, Call, Ended, Feedback, Json, Posting, WhyTeacher, content_id
from feilun.store import open_store
from feilun.testing import FakeBook, FakeClock, FakeTrainer, MemoryStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = "You sort the mail of a shop. Answer with one word."
KINDS = ("billing", "shipping", "technical")
WORDS = [
    "card", "order", "late", "parcel", "price", "soup", "phone", "app", "login", "fee", "invoice",
    "box", "lost", "cold",
]  # fmt: skip


def text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(4, 9))) + f" {rng.randint(0, 10**6)}"


def chat(system: str, user: Json, **more: Json) -> dict[str, Json]:
    before = [{"role": "system", "content": system}] if system else []
    return {"model": "big", "messages": [*before, {"role": "user", "content": user}], **more}


def raw(number: int, request: Json, content: Json, **more: Json) -> Call:
    facts = {
        "output": {"role": "assistant", "content": content},
        "at": NOON + timedelta(hours=number),
        "variant": "big",
        "tokens_in": 90,
        "tokens_out": 10,
        "seconds": 1.0,
    }
    return Call(
        id=f"raw-{number:05}", task=RAW, input=request, by="teacher",
        why_teacher=WhyTeacher.NO_TASK, **{**facts, **more},
    )  # fmt: skip


def mails(count: int = 60, system: str = SYSTEM, first: int = 0) -> list[Call]:
    rng = random.Random(first)
    return [
        raw(n, chat(system, f"Mail: {text(rng)}"), rng.choice(KINDS))
        for n in range(first, first + count)
    ]


def only(calls: Iterable[Call]) -> Proposal:
    (found,) = propose(calls)
    return found


def adopted(proposal: Proposal, name: str = "mail", id: str = "a") -> Matcher:
    return Matcher([adoption(proposal, name, id=id, at=NOON)])


def a_house(store: MemoryStore | None = None) -> House:
    return House(
        store or MemoryStore(), book=FakeBook({}), clock=FakeClock(NOON), trainer=FakeTrainer()
    )


# Proposals


def test_chats_under_one_system_prompt_are_one_proposal_of_closed_labels() -> None:
    found = only(mails(60))
    assert (found.kind, found.calls, found.share) == ("labels", 60, 1.0)
    assert (found.system, found.head, found.tail) == (SYSTEM, "Mail:", "")
    assert sorted(found.labels) == sorted(KINDS)
    assert sum(found.labels.values()) == 60
    assert found.output_schema == {"enum": sorted(KINDS), "type": "string"}
    assert found.adoptable
    assert len(found.examples) == 3
    assert found.models == {"big": 60}
    assert found.tokens_per_day == round(60 * 100 / (59 / 24))


@pytest.mark.parametrize(
    "when",
    ["{:%Y-%m-%d}", "{:%A, %B %d, %Y}", "{:%d %b %Y, %H:%M}", "{:%Y-%m-%dT%H:%M:%SZ}",
     "{:%Y年%m月%d日}", "{:%m/%d/%Y %I:%M %p}"],
)  # fmt: skip
def test_a_date_in_the_system_prompt_is_no_part_of_the_task_not_even_on_its_first_day(
    when: str,
) -> None:
    def system(at: datetime) -> str:
        return f"You sort mail for a shop. Today is {when.format(at)}. Answer with one word."

    calls = [
        call.model_copy(
            update={"input": chat(system(call.at), call.input["messages"][1]["content"])}
        )
        for call in mails(60)
    ]
    found = only(calls)
    assert found.system == f"You sort mail for a shop. Today is {GAP}. Answer with one word."
    assert only(calls[:20]).id == found.id
    later = chat(system(datetime(2031, 11, 23, 23, 59, tzinfo=UTC)), "Mail: box lost")
    assert adopted(only(calls[:20])).match(later)


def test_names_of_users_in_the_system_prompt_are_one_task() -> None:
    names = ["Ana", "Bo Li", "Cem", "Dora van Dam", "Eli", "Finn"]
    calls = [
        call.model_copy(
            update={
                "input": chat(
                    f"You sort the mail of {names[n % 6]}, who runs a shop. Answer with one word.",
                    call.input["messages"][1]["content"],
                )
            }
        )
        for n, call in enumerate(mails(90))
    ]
    found = only(calls)
    assert found.system == f"You sort the mail of {GAP}, who runs a shop. Answer with one word."
    assert adopted(found).match(chat(found.system.replace(GAP, "Gus Ek"), "Mail: soup cold"))


def test_two_wordings_of_one_place_are_two_tasks_as_an_instruction_has_few_values() -> None:
    ask = "Say yes if the mail of the customer is {}, and say no where it is not."
    calls = [
        *mails(40, ask.format("spam")),
        *mails(40, ask.format("urgent"), first=40),
    ]
    assert sorted(each.system for each in propose(calls)) == sorted(
        [ask.format("spam"), ask.format("urgent")]
    )


def test_heads_tell_tasks_apart_where_there_is_no_system_prompt() -> None:
    rng = random.Random(1)
    calls = []
    for n in range(0, 120, 2):
        calls += [
            raw(n, chat("", f"Classify this email: {text(rng)}"), rng.choice(["a", "b"])),
            raw(n + 1, chat("", f"{text(rng)}\n\nHow urgent is this message?"), rng.choice("xy")),
        ]
    found = propose(calls)
    assert sorted((each.head, each.tail, each.calls) for each in found) == [
        ("", "How urgent is this message?", 60),
        ("Classify this email:", "", 60),
    ]
    assert all(each.adoptable for each in found)


def test_the_id_of_a_proposal_stays_while_more_traffic_of_the_same_kind_comes() -> None:
    rng = random.Random(2)
    noise = [raw(900 + n, chat("You are a poet.", text(rng)), text(rng)) for n in range(50)]
    ids = {
        next(each.id for each in propose(calls) if each.kind == "labels")
        for calls in (mails(20), mails(45), [*mails(300), *noise], mails(400)[200:])
    }
    assert len(ids) == 1


def test_no_two_proposals_have_one_id() -> None:
    rng = random.Random(2)
    calls = [
        raw(n, chat(SYSTEM, f"{'QA'[n % 2]}: {text(rng)}"), rng.choice(["ab", "xy"][n % 2]))
        for n in range(80)
    ]
    found = propose(calls)
    assert [each.head for each in found] == ["Q:", "A:"] or len(found) == 1
    assert len({each.id for each in found}) == len(found)


def test_json_answers_get_a_schema_of_what_they_share() -> None:
    rng = random.Random(3)
    calls = [
        raw(n, chat("Extract the order as JSON.", text(rng)),
            json.dumps({"name": text(rng), "boxes": n, "gift": n % 2 == 0}))
        for n in range(40)
    ]  # fmt: skip
    found = only(calls)
    assert (found.kind, found.answer, found.adoptable) == ("fields", "json", True)
    assert found.output_schema["required"] == ["boxes", "gift", "name"]
    assert found.output_schema["properties"]["boxes"] == {"type": "integer"}


def test_the_schema_that_requests_ask_for_is_the_schema_of_the_task() -> None:
    rng = random.Random(4)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    calls = [
        raw(n, chat("Extract the order.", text(rng), response_format=form),
            json.dumps({"n": n, "s": text(rng)}))
        for n in range(30)
    ]  # fmt: skip
    assert only(calls).output_schema == schema


def test_without_genson_a_json_task_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genson", None)
    rng = random.Random(3)
    calls = [
        raw(n, chat("Extract the order as JSON.", text(rng)), json.dumps({"a": n, "b": text(rng)}))
        for n in range(40)
    ]
    assert only(calls).why_not is WhyNot.NO_GENSON


@pytest.mark.parametrize(
    ("more", "why"),
    [({"tools": [{"type": "function"}]}, WhyNot.TOOLS), ({"n": 3}, WhyNot.SEVERAL),
     ({"logprobs": True}, WhyNot.SEVERAL)],
)  # fmt: skip
def test_what_is_more_than_one_question_is_shown_and_says_why_it_cannot_be_adopted(
    more: dict[str, Json], why: WhyNot
) -> None:
    calls = [call.model_copy(update={"input": {**call.input, **more}}) for call in mails(30)]
    found = only(calls)
    assert (found.why_not, found.calls) == (why, 30)
    with pytest.raises(TaskError, match="cannot be adopted"):
        adoption(found, "mail", id="a", at=NOON)


def test_free_chat_without_a_system_prompt_cannot_be_found_again() -> None:
    rng = random.Random(5)
    calls = [raw(n, chat("", text(rng)), text(rng)) for n in range(40)]
    assert only(calls).why_not is WhyNot.NOTHING_FIXED


@pytest.mark.parametrize("length", [3, 120])
def test_an_input_that_stands_in_the_system_prompt_is_no_task(length: int) -> None:
    rng = random.Random(6)
    calls = [
        raw(
            n,
            chat(
                f"You label the mail of a shop: {' '.join(rng.choices(WORDS, k=length))} {n}", "Go."
            ),
            rng.choice(KINDS),
        )
        for n in range(60)
    ]
    assert {each.why_not for each in propose(calls)} == {WhyNot.VARIED}


def test_only_whole_calls_that_ended_well_are_looked_at() -> None:
    broken = [
        call.model_copy(update={"id": f"b{n}", **change})
        for n, change in enumerate(
            ({"ended": Ended.CLIENT_LEFT}, {"kept": "hashed", "input": {"sha256": "00"}},
             {"input": None}, {"output": None})
        )
        for call in mails(1)
    ]  # fmt: skip
    assert only([*mails(30), *broken]).calls == 30
    assert propose(broken) == []
    assert propose([]) == []


def test_progress_goes_forward_and_ends_at_its_end() -> None:
    seen: list[tuple[int, int]] = []
    propose(mails(250), lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (1000, 1000)


def test_the_sample_among_other_traffic_is_found_whole_and_alone() -> None:
    rng = random.Random(9)
    told = sample.answers()
    asked = [line.text for line in sample.lines() if line.text in told][:1500]
    system = "You keep the books of {}. Today is 2026-0{}-1{}. Choose the category of a line."
    names = ["Ana", "Bo Li", "Cem", "Dora van Dam", "Eli", "Finn"]
    books = [
        raw(n, chat(system.format(names[n % 6], 3 + n // 500, n % 10), f"<line>{line}</line>"),
            json.dumps({"category": told[line].output}))
        for n, line in enumerate(asked)
    ]  # fmt: skip
    talk = [
        raw(5000 + n, chat(["", "You are a kind friend."][n % 2], text(rng)), text(rng))
        for n in range(300)
    ]
    calls = [*books, *talk]
    rng.shuffle(calls)
    found = propose(calls)[0]
    assert (found.kind, found.answer, found.field) == ("labels", "field", "category")
    assert (
        found.system
        == f"You keep the books of {GAP}. Today is {GAP}. Choose the category of a line."
    )
    assert (found.head, found.tail, found.calls) == ("<line>", "</line>", 1500)
    matcher = adopted(found)
    assert all(matcher.match(call.input) for call in books)
    assert not any(matcher.match(call.input) for call in talk)


# Templates


def test_a_gap_holds_a_few_words_of_one_line_and_no_instruction() -> None:
    pieces = ["Help ", " with his mail."]
    assert fits(pieces, "Help Bob with his mail.")
    assert not fits(pieces, "Help Bob\nIgnore the rest with his mail.")
    assert not fits(pieces, f"Help {'x' * 201} with his mail.")
    assert not fits(pieces, "Help Bob with his mail. And be brief.")


def test_system_prompts_that_are_all_different_stay_so() -> None:
    rng = random.Random(7)
    texts = {f"Answer from this: {' '.join(rng.choices(WORDS, k=90))}": 1 for _ in range(60)}
    assert learn(texts) == {text: text for text in texts}


# Matching


def shapes(system: str, user: str) -> list[dict[str, Json]]:
    """One request in every shape in which clients send it."""
    parts = [{"type": "text", "text": user}]
    return [
        chat(system, user),
        chat(system, user, stream=True, temperature=0, max_tokens=5, tools=[], n=1, logprobs=False),
        chat(system, parts),
        {"model": "x", "messages": [{"role": "developer", "content": system},
                                    {"role": "user", "content": user}]},
        {"model": "x", "system": system, "messages": [{"role": "user", "content": user}]},
        {"model": "x", "system": [{"type": "text", "text": system, "cache_control": {}}],
         "messages": [{"role": "user", "content": parts}]},
        {"model": "x", "instructions": system, "input": user},
        {"model": "x", "instructions": system,
         "input": [{"role": "user", "content": [{"type": "input_text", "text": user}]}]},
    ]  # fmt: skip


@pytest.mark.parametrize("shape", range(8))
def test_one_adoption_matches_all_shapes_of_a_request(shape: int) -> None:
    matched = adopted(only(mails())).match(shapes(SYSTEM, "Mail: my box is lost ")[shape])
    assert matched
    assert (matched.task, matched.input) == ("mail", "my box is lost")


@pytest.mark.parametrize(
    "request_",
    [
        chat(SYSTEM, "my box is lost"),
        chat(SYSTEM + " Be kind.", "Mail: my box is lost"),
        chat("", "Mail: my box is lost"),
        chat(SYSTEM, "Mail: "),
        chat(SYSTEM, "Mail: x", tools=[{"type": "function"}]),
        chat(SYSTEM, "Mail: x", n=2),
        chat(SYSTEM, "Mail: x", logprobs=True),
        chat(SYSTEM, "Mail: x", response_format={"type": "json_object"}),
        chat(SYSTEM, [{"type": "text", "text": "Mail: x"}, {"type": "image_url"}]),
        chat(SYSTEM, "Mail: " + "x" * 40_000),
        {"messages": [*chat(SYSTEM, "Mail: x")["messages"], {"role": "assistant", "content": "A"}]},
        {"messages": [*chat(SYSTEM, "Mail: x")["messages"], {"role": "user", "content": "more"}]},
        {"instructions": SYSTEM, "input": "Mail: x", "previous_response_id": "r"},
        {"messages": []}, {"messages": "x"}, {"messages": [None]}, {"input": 3}, {}, [], None, "x",
        {"messages": [{"role": ["user"], "content": {"a": 1}}]}, {"messages": {"role": "user"}},
        {"messages": [{"role": "system", "content": 5}, {"role": "user", "content": "Mail: x"}]},
    ],
)  # fmt: skip
def test_a_request_that_is_not_quite_the_same_goes_to_its_model(request_: Json) -> None:
    assert adopted(only(mails())).match(request_) is None


def test_the_more_specific_adoption_wins_whatever_their_order() -> None:
    wide = adoption(only(mails()), "wide", id="a", at=NOON)
    narrow = wide.model_copy(update={"id": "b", "task": "narrow", "head": "Mail: URGENT"})
    open_ = wide.model_copy(update={"id": "c", "task": "open", "system": f"You sort {GAP}"})
    for order in ([wide, narrow, open_], [open_, narrow, wide]):
        matcher = Matcher(order)
        tasks = [matcher.match(chat(SYSTEM, f"Mail: {x}")) for x in ("URGENT box", "box")]
        assert [matched and matched.task for matched in tasks] == ["narrow", "wide"]
        other = matcher.match(chat("You sort letters", "Mail: x"))
        assert other
        assert other.task == "open"


def test_an_ended_adoption_matches_nothing() -> None:
    ended = adoption(only(mails()), "mail", id="a", at=NOON).model_copy(update={"ended": True})
    assert Matcher([ended]).match(mails(1)[0].input) is None


def test_a_barred_request_still_tells_its_system_prompt() -> None:
    turns = [*chat(SYSTEM, "a")["messages"], {"role": "assistant", "content": "b"}]
    asked = read_request({"messages": turns})
    assert (asked.system, asked.bar) == (SYSTEM, WhyNot.TURNS)


# What the client sees


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{}", {"billing": "billing"}),
        ("{}.", {"billing": "billing."}),
        ("**{}**", {"billing": "**billing**"}),
        ('{{"kind": "{}"}}', {"billing": '{"kind": "billing"}'}),
        ('```json\n{{"kind": "{}"}}\n```', {"billing": '{"kind": "billing"}'}),
        ('["{}"]', {"billing": '["billing"]'}),
        ('"{}"', {"billing": '"billing"'}),
    ],
)
def test_a_label_is_rendered_as_the_model_has_said_it(said: str, expected: dict[str, str]) -> None:
    calls = [
        call.model_copy(
            update={"output": {"role": "assistant", "content": said.format(call.output["content"])}}
        )
        for call in mails()
    ]
    found = only(calls)
    made = adoption(found, "mail", id="a", at=NOON)
    assert sorted(found.labels) == sorted(KINDS)
    for label in KINDS:
        assert read(made, render(made, label)) == label
    assert {label: render(made, label) for label in expected} == expected


def test_values_that_are_no_strings_keep_their_type() -> None:
    rng = random.Random(8)
    calls = [
        raw(n, chat("Is this mail spam?", text(rng)), json.dumps({"spam": rng.random() < 0.5}))
        for n in range(40)
    ]
    made = adoption(only(calls), "spam", id="a", at=NOON)
    assert (made.answer, made.field) == ("field", "spam")
    assert render(made, "true") == '{"spam": true}'
    assert read(made, '{"spam": false}') == "false"


@pytest.mark.parametrize(
    "said", ["Billing", "BILLING.", '{"label": "billing"}', "Category: billing"]
)
def test_a_label_is_read_in_any_dress(said: str) -> None:
    assert read(adoption(only(mails()), "mail", id="a", at=NOON), said) == "billing"


@pytest.mark.parametrize("said", ["", "I cannot tell.", "{", "[[[[", "other", '{"a": NaN}'])
def test_what_is_no_label_is_read_as_nothing(said: str) -> None:
    assert read(adoption(only(mails()), "mail", id="a", at=NOON), said) is None


# In the house


def test_adopting_makes_calls_of_the_past_that_train_and_are_not_billed_twice() -> None:
    house = a_house()
    calls = mails(50)
    house.keep(*calls)
    billed = len(list(house.store.read(Posting)))
    (proposal,) = house.discovery.proposals()
    task = house.discovery.adopt(proposal.id[:8], "mail.kind", 0.05, 0.9)
    assert (task.task, task.red_line.max_loss, task.red_line.confidence) == ("mail.kind", 0.05, 0.9)
    assert SYSTEM in task.instructions
    past = list(house.store.read(Call, "mail.kind"))
    assert [(c.parent, c.at, c.output) for c in past] == [
        (c.id, c.at, c.output["content"]) for c in calls
    ]
    assert not any(c.input.startswith("Mail") or c.audit_rate or c.tokens_in for c in past)
    assert len(list(house.store.read(Posting))) == billed
    assert [each.task for each in house.discovery.adoptions()] == ["mail.kind"]
    assert house.discovery.proposals() == []
    built = house.build("mail.kind", NOON + timedelta(days=90), NOON + timedelta(days=91))
    assert built.dataset.train > 40


def test_adopting_again_adds_only_what_is_new_and_moves_the_red_line() -> None:
    house = a_house()
    house.keep(*mails(30))
    (proposal,) = house.discovery.proposals()
    house.discovery.adopt(proposal.id, "mail", 0.05)
    house.discovery.adopt(proposal.id, "mail", 0.05)
    assert len(list(house.store.read(Call, "mail"))) == 30
    assert len(house.discovery.adoptions()) == 1
    house.keep(*mails(5, first=30))
    assert house.discovery.adopt(proposal.id, "mail", 0.1).red_line.max_loss == 0.1
    assert len(list(house.store.read(Call, "mail"))) == 35


def test_a_call_that_is_a_part_of_a_raw_call_is_not_taken_for_its_copy() -> None:
    house = a_house()
    calls = mails(30)
    house.keep(*calls)
    (proposal,) = house.discovery.proposals()
    house.discovery.adopt(proposal.id, "mail", 0.05)
    new = mails(2, first=30)
    part = house.store.get(Call, content_id(["mail", calls[0].id]))
    house.keep(*new, part.model_copy(update={"id": "part", "parent": new[0].id}))
    house.correct(new[0], "Shipping.")
    house.discovery.adopt(proposal.id, "mail", 0.05)
    (said,) = house.store.read(Feedback, "mail")
    assert said.call == content_id(["mail", new[0].id])
    assert len(list(house.store.read(Call, "mail"))) == 33


def test_what_was_said_of_raw_calls_comes_along() -> None:
    house = a_house()
    calls = mails(30)
    house.keep(*calls)
    house.correct(calls[0], "Shipping.")
    house.correct(calls[1], {"role": "assistant", "content": "billing"})
    house.correct(calls[2], "no such label")
    house.rate(calls[3], accepted=False, reason="rude")
    house.discovery.adopt(house.discovery.proposals()[0].id, "mail", 0.05)
    house.discovery.adopt(house.discovery.adoptions()[0].proposal or "", "mail", 0.05)
    parents = {call.id: call.parent for call in house.store.read(Call, "mail")}
    said = [(parents[f.call], f.said, f.output) for f in house.store.read(Feedback, "mail")]
    assert said == [
        (calls[0].id, "correction", "shipping"),
        (calls[1].id, "correction", "billing"),
        (calls[3].id, "rejected", None),
    ]


def test_an_abandoned_task_keeps_its_calls_and_its_requests_are_proposed_again() -> None:
    house = a_house()
    house.keep(*mails(30))
    (proposal,) = house.discovery.proposals()
    house.discovery.adopt(proposal.id, "mail", 0.05)
    house.discovery.abandon("mail")
    assert house.discovery.adoptions() == []
    assert [each.id for each in house.discovery.proposals()] == [proposal.id]
    assert len(list(house.store.read(Call, "mail"))) == 30
    with pytest.raises(NotFound, match="not adopted"):
        house.discovery.abandon("mail")
    house.discovery.adopt(proposal.id, "mail", 0.05)
    assert len(list(house.store.read(Call, "mail"))) == 30


def test_a_raw_call_becomes_a_call_of_one_task_alone() -> None:
    house = a_house()
    house.keep(*mails(30), *(c for c in mails(30, f"{SYSTEM} Be brief.", first=30)))
    for number, proposal in enumerate(house.discovery.proposals()):
        house.discovery.adopt(proposal.id, f"mail-{number}", 0.05)
    counts = [len(list(house.store.read(Call, f"mail-{n}"))) for n in range(2)]
    assert counts == [30, 30]


def test_a_name_that_is_taken_or_an_id_that_is_none_is_refused() -> None:
    house = a_house()
    house.keep(*mails(30))
    (proposal,) = house.discovery.proposals()
    with pytest.raises(NotFound, match="No proposal begins with 'zz'"):
        house.discovery.adopt("zz", "mail", 0.05)
    with pytest.raises(NotFound):
        house.discovery.adopt("", "mail", 0.05)
    with pytest.raises(TaskError, match="red line"):
        house.discovery.adopt(proposal.id, "mail", 1.5)
    for name in ("raw", "a b", "x/y"):
        with pytest.raises(TaskError):
            house.discovery.adopt(proposal.id, name, 0.05)
    house.discovery.adopt(proposal.id, "mail", 0.05)
    house.declare(house.task("mail").model_copy(update={"task": "other", "instructions": "else"}))
    house.keep(*mails(30, "You name the colour of a thing.", first=100))
    with pytest.raises(TaskError, match="declared already"):
        house.discovery.adopt(house.discovery.proposals()[0].id, "other", 0.05)


# On the command line


def test_the_commands_walk_from_traffic_to_a_task_and_back(tmp_path: Path) -> None:
    folder = str(tmp_path)
    store = open_store(folder)
    store.append(*mails(40))
    store.close()

    def feilun(*words: str) -> tuple[int, Json]:
        ended = CliRunner().invoke(tasks_app, [*words, "--store", folder, "--json"])
        return ended.exit_code, json.loads(ended.stdout)

    code, found = feilun("discover")
    assert (code, len(found["proposals"])) == (0, 1)
    id = found["proposals"][0]["id"]
    assert feilun("show", id[:12])[1]["head"] == "Mail:"
    adopting = ("adopt", id[:12], "--name", "mail.kind", "--max-loss", "0.05")
    code, task = feilun(*adopting)
    assert (code, task["task"], task["adoption"]["proposal"]) == (0, "mail.kind", id)
    assert feilun("list")[1]["tasks"][0]["adoption"]["head"] == "Mail:"
    assert feilun("show", "mail.kind")[1]["red_line"]["max_loss"] == 0.05
    assert feilun("discover") == (1, {"schema": "feilun.proposals/1", "proposals": []})
    assert feilun("abandon", "mail.kind")[1]["ended"]


def test_the_commands_speak_to_people_too(tmp_path: Path) -> None:
    folder = str(tmp_path)
    store = open_store(folder)
    tools = [c.model_copy(update={"input": {**c.input, "tools": [1]}}) for c in mails(30, first=50)]
    store.append(*mails(40), *tools)
    store.close()
    said = CliRunner().invoke(tasks_app, ["discover", "--store", folder]).output
    assert "3 labels" in said
    assert "tools: The requests offer tools." in said
    assert "Next: feilun tasks adopt " in said
    shown = CliRunner().invoke(tasks_app, ["show", only(mails(40)).id, "--store", folder]).output
    assert f"system: {SYSTEM}" in shown
