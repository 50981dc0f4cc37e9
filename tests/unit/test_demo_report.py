"""The demo's report, table and JSON, of stories that are told by hand."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from rich.cells import cell_len
from rich.console import Console

from feilun.demo import Day, Story
from feilun.demo_report import catalogue, render, to_json, write_page
from feilun.demo_report.catalogue import CATALOGUE
from feilun.demo_report.prose import folded
from feilun.demo_report.words import LANGUAGES, Words
from feilun.errors import InputError
from feilun.figures import Period
from feilun.house import Turn
from feilun.ledger import Payback
from feilun.records import (
    Candidate,
    Certificate,
    Dataset,
    Expected,
    Money,
    Refusal,
    Release,
    WhyRefused,
)
from feilun.verify import Check
from feilun.watch import Risk

TASK = "expense.category"
START = datetime(2026, 3, 1, 7, tzinfo=UTC)
Tell = Callable[[Path], Story]

# Keys that the code puts together from a prefix and a field.
BUILT = ("turn.", "next.", "origin.", "say.", "proof.", "bounds.", "payback.", "gold.")
VOID = {"meta", "path", "line", "rect", "circle", "polyline"}


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def facts(id: str, day: int) -> dict[str, object]:
    return {"id": id, "task": TASK, "at": at(day)}


def turn(day: int, verdict: Certificate | Refusal, released: bool = False) -> Turn:
    dataset = Dataset(
        **facts(f"d{day}", day), cut=START, until=at(day), examples="0" * 64, train=473,
        calibration=205, rate=0.3, conflicts=0, duplicates=1, near_duplicates=2, thinned=0,
    )  # fmt: skip
    curve = tuple(Expected(coverage=c / 10, loss=c / 30) for c in range(1, 11))
    candidate = Candidate(
        **facts(f"c{day}", day), dataset=dataset.id, trainer="linear", params={},
        artefact="a" * 64, examples=473, expected=curve if day > 6 else (), seconds=0.4,
        device="cpu",
    )  # fmt: skip
    release = None
    if released:
        release = Release(
            **facts(f"r{day}", day), variant=candidate.id, threshold=0.906, by="certificate",
            certificate=verdict.id, reason="certified",
        )  # fmt: skip
    return Turn(dataset, candidate, verdict, release)


def look(day: int, delta: float = 0.0) -> dict[str, object]:
    return {
        **facts(f"v{day}", day), "declaration": "t1", "candidate": f"c{day}", "dataset": f"d{day}",
        "attempt": 1, "max_loss": 0.2, "delta": delta, "audits": 255, "bounds": "correctness",
    }  # fmt: skip


def refusal(day: int, why: WhyRefused, missing: int | None = None, priced: bool = True) -> Turn:
    cost = Money(amount=Decimal("7.0975"), currency="CNY") if missing and priced else None
    looked = why is WhyRefused.ABOVE_LINE
    verdict = Refusal(
        **look(day, 0.0076 if looked else 0.0), why=why, tested=41 if looked else 0,
        loss=0.073 if looked else None, missing_audits=missing, missing_cost=cost,
    )  # fmt: skip
    return turn(day, verdict)


def certificate(day: int) -> Turn:
    verdict = Certificate(
        **look(day, 0.0034), threshold=0.906, served=118, loss=0.0932, loss_upper=0.1886,
        coverage=0.4627, coverage_low=0.4, coverage_high=0.526,
    )  # fmt: skip
    return turn(day, verdict, released=True)


REFUSALS = (
    refusal(5, WhyRefused.TOO_FEW_AUDITS, 439),
    refusal(11, WhyRefused.TOO_WEAK),
    refusal(17, WhyRefused.ABOVE_LINE, 425),
    refusal(20, WhyRefused.ABOVE_LINE),
)


def period(first: int, last: int, share: float) -> Period:
    judged = Risk(0.1, 0.04, 0.2136, 50)
    return Period(
        at(first), at(last), 1102, share, judged, judged if share else None, 8.637, 4.134, 0.744
    )


def payback(**changes: object) -> Payback:
    told = Payback(
        "CNY", Decimal("0.006855"), Decimal("3.48"), Decimal("17.83"), False,
        5321, 4100, None, 132.4, 102.0, None, (),
    )  # fmt: skip
    return replace(told, **changes)


def days(release: int | None) -> tuple[Day, ...]:
    served = [15 if release is not None and n > release else 0 for n in range(40)]
    return tuple(Day(at(n).date(), 40, served[n], 25 + n % 5) for n in range(40))


def story(folder: Path) -> Story:
    """A story that ends well."""
    return Story(
        task=TASK, max_loss=0.2, currency="CNY", days=days(24),
        turns=(*REFUSALS, certificate(24)), before=period(0, 24, 0.0),
        after=period(25, 39, 0.3417), payback=payback(),
        checks=(Check("refusal", "v5", TASK, None), Check("certificate", "v24", TASK, None)),
        corrections=115, audits=1068, folder=folder,
    )  # fmt: skip


def refused(folder: Path) -> Story:
    """A story in which no student is released."""
    return replace(
        story(folder), days=days(None), turns=REFUSALS, after=None,
        payback=payback(saved=Decimal(0), calls=None, calls_low=None, days=None, days_low=None),
    )  # fmt: skip


def unpriced(folder: Path) -> Story:
    """A story whose price book is empty."""
    told = story(folder)
    nothing = payback(
        teacher_per_call=None, saved=None, spent=None, calls=None, calls_low=None, days=None,
        days_low=None, unknown=("audit per person", "teacher per input_token"),
    )  # fmt: skip
    return replace(
        told,
        payback=nothing,
        turns=(refusal(5, WhyRefused.TOO_FEW_AUDITS, 439, priced=False), certificate(24)),
        before=replace(told.before, cost=None, wheel_cost=None),
        after=replace(told.after, cost=None, wheel_cost=None) if told.after else None,
    )


def unturned(folder: Path) -> Story:
    """A story that ends before the wheel turns."""
    return replace(refused(folder), turns=(), checks=())


TOLD = pytest.mark.parametrize("tell", [story, refused, unpriced, unturned])
SPOKEN = pytest.mark.parametrize("language", LANGUAGES)


class Tree(HTMLParser):
    """Reads a page and holds that every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def written(told: Story, language: str, folder: Path) -> tuple[str, Tree]:
    path = folder / f"{language}.html"
    write_page(told, path, language)
    source = path.read_text(encoding="utf-8")
    tree = Tree()
    tree.feed(source)
    tree.close()
    assert tree.open == []
    return source, tree


def printed(told: Story, language: str, width: int = 80) -> str:
    console = Console(width=width, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    with console.file:
        render(told, console, language)
    return console.export_text()


def all_text(tree: Tree) -> str:
    return " ".join(tree.text).replace("\u00a0", " ")


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("key", CATALOGUE)
def test_a_sentence_exists_in_both_languages_with_the_same_places(key: str) -> None:
    english, chinese = CATALOGUE[key]
    assert english.strip()
    assert chinese.strip()
    assert places(english) == places(chinese)


def test_every_sentence_is_used() -> None:
    files = Path(catalogue.__file__).parent.glob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in files if "cat" not in path.stem)
    lost = [key for key in CATALOGUE if f'"{key}"' not in code and not key.startswith(BUILT)]
    assert lost == []


@TOLD
@SPOKEN
def test_a_page_is_whole_and_needs_nothing_else(tell: Tell, language: str, tmp_path: Path) -> None:
    source, tree = written(tell(tmp_path), language, tmp_path)
    assert not re.search(r"https?://|//[a-z]|url\(|@import|javascript:", source)
    tags = {tag for tag, _ in tree.seen}
    assert not tags & {"script", "link", "img", "iframe"}
    assert not [name for _, attributes in tree.seen for name in attributes if name[:2] == "on"]
    assert {"html", "h1", "h2", "table", "svg"} <= tags


@SPOKEN
def test_headings_come_in_order_and_ids_are_unique(language: str, tmp_path: Path) -> None:
    _, tree = written(story(tmp_path), language, tmp_path)
    headings = [tag for tag, _ in tree.seen if re.fullmatch(r"h\d", tag)]
    assert headings == ["h1", *["h2"] * 9]
    ids = [attributes["id"] for _, attributes in tree.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] or "" for _, a in tree.seen if "aria-labelledby" in a]
    assert {id for names in named for id in names.split()} <= set(ids)


@SPOKEN
def test_every_chart_has_a_title_and_a_text_alternative(language: str, tmp_path: Path) -> None:
    _, tree = written(story(tmp_path), language, tmp_path)
    svgs = [attributes for tag, attributes in tree.seen if tag == "svg"]
    images = [attributes for attributes in svgs if attributes.get("role") == "img"]
    assert len(images) == 6  # three charts, each for a desk and for a phone
    assert all("aria-labelledby" in attributes for attributes in images)
    assert all(a in images or a.get("aria-hidden") == "true" for a in svgs)


def test_a_page_says_its_language(tmp_path: Path) -> None:
    assert '<html lang="en">' in written(story(tmp_path), "en", tmp_path)[0]
    assert '<html lang="zh-Hans">' in written(story(tmp_path), "zh", tmp_path)[0]


def test_the_page_and_the_table_show_the_figures_of_the_story(tmp_path: Path) -> None:
    told = story(tmp_path)
    page, table = all_text(written(told, "en", tmp_path)[1]), printed(told, "en")
    for figure in ("34.2 %", "90.0 %", "78.6 to 96.0 %", "¥8.64", "1,068", "0.906", "18.9 %"):
        assert figure in page
        assert figure in table.replace("\u00a0", " ")
    for figure in ("46 %", "99.66 %", "¥7.10", "5,321", "2 of 2", "1,600 lines"):
        assert figure in page


def test_a_refusal_says_what_was_missing_and_what_it_would_cost(tmp_path: Path) -> None:
    page = all_text(written(refused(tmp_path), "en", tmp_path)[1])
    assert "No student serves yet: 4 turns, 4 refusals." in page
    assert "Missing: about 439 audits, ¥7.10." in page
    assert "No number of audits would help at this loss." in page
    assert "By its own expectation above the red line" in page


@SPOKEN
def test_an_unknown_price_is_said_to_be_unknown(language: str, tmp_path: Path) -> None:
    told, say = unpriced(tmp_path), Words(language)
    page = all_text(written(told, language, tmp_path)[1])
    for text in (page, printed(told, language, 120)):
        assert say("unknown") in text
        assert "teacher per input_token" in text
        assert "¥" not in text


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"reached": True}, "Paid back after 5,321 calls, on day 132."),
        ({}, "from 4,100 calls, day 102, with no upper end."),
        ({"calls_high": 9000, "days_high": 224.0}, "4,100 to 9,000 calls, day 102 to 224."),
        ({"calls": None, "days": None}, "Not at this margin"),
        ({"teacher_per_call": None}, "too few calls of the teacher"),
    ],
)
def test_payback_is_told_as_it_stands(changes: dict[str, object], key: str, tmp_path: Path) -> None:
    told = replace(story(tmp_path), payback=payback(**changes))
    assert key in all_text(written(told, "en", tmp_path)[1])


def test_a_check_that_differs_is_named(tmp_path: Path) -> None:
    broken = Check("certificate", "v24", TASK, "loss: stored 0.1, derived 0.2")
    told = replace(story(tmp_path), checks=(broken,))
    said = "Differs: certificate v24: loss: stored 0.1, derived 0.2"
    assert said in all_text(written(told, "en", tmp_path)[1])
    assert said in printed(told, "en")


def test_what_people_typed_is_escaped(tmp_path: Path) -> None:
    told = replace(story(tmp_path / "<b>'\"&"), task="<script>alert(1)</script>")
    source, tree = written(told, "en", tmp_path)
    assert "<script" not in source
    assert "<script>alert(1)</script>" in all_text(tree)


@TOLD
@SPOKEN
@pytest.mark.parametrize("width", [80, 46])
def test_the_table_keeps_to_the_width(tell: Tell, language: str, width: int) -> None:
    told = tell(Path("feilun-demo"))
    commands = ("feilun appraise", "feilun verify", "feilun rollback")
    lines = [
        line
        for line in printed(told, language, width).splitlines()
        if not line.strip().startswith(commands)
    ]
    assert all(cell_len(line) <= width for line in lines)
    assert "…" not in "".join(lines)


def test_the_commands_can_be_copied_whole(tmp_path: Path) -> None:
    told = story(tmp_path / "my books")
    text = printed(told, "en", 60)
    assert "feilun appraise YOUR_LOG.jsonl" in text
    assert f"feilun verify --store '{tmp_path}/my books'" in text
    assert f"rollback {TASK} --reason \"...\" --store '{tmp_path}/my books'" in text


def test_a_line_breaks_between_characters_and_never_before_a_closing_mark() -> None:
    assert list(folded("飞轮转动，每次都被拒绝。", 9)) == ["飞轮转", "动，每次", "都被拒", "绝。"]


def test_a_figure_and_its_unit_stay_on_one_line() -> None:
    assert list(folded("of at most 20\u00a0%; people", 13)) == ["of at most", "20\u00a0%; people"]


def test_a_word_wider_than_a_line_is_cut() -> None:
    assert list(folded("a/long/folder of books", 8)) == ["a/long/f", "older of", "books"]


@TOLD
def test_the_story_is_json(tell: Tell, tmp_path: Path) -> None:
    told = tell(tmp_path)
    shape = to_json(told)
    assert json.loads(json.dumps(shape, allow_nan=False)) == shape
    assert shape["schema"] == "feilun.demo/1"
    assert len(shape["turns"]) == len(told.turns)


def test_the_shape_of_the_json_is_the_documented_one(tmp_path: Path) -> None:
    shape = to_json(story(tmp_path))
    assert sorted(shape) == sorted(
        ("schema", "task", "teacher", "max_loss", "currency", "folder", "corrections", "audits",
         "days", "turns", "before", "after", "payback", "verification", "people")
    )  # fmt: skip
    assert shape["payback"]["spent"] == "17.83"
    assert shape["after"]["risk"] == {"mean": 0.1, "low": 0.04, "high": 0.2136, "audits": 50}
    assert shape["turns"][-1]["certificate"]["threshold"] == 0.906
    assert shape["days"][0] == {"day": "2026-03-01", "calls": 40, "by_student": 0, "right": 25}


def test_a_language_that_is_not_spoken_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="en, zh"):
        write_page(story(tmp_path), tmp_path / "page.html", "de")
