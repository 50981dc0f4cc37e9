"""The runway: what a file may say, what comes of it, and how it is shown."""

import json
import math
import sys
from datetime import timedelta
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from kiosk_log import PRICES, a_call, at
from rich.console import Console

from feilun import capital, cli
from feilun.capital import EXAMPLE, Outlook, Unit, flows, measure, outlook, read, render, write_page
from feilun.capital.catalogue import CATALOGUE
from feilun.capital.read import assumptions
from feilun.capital.words import Words
from feilun.errors import InputError
from feilun.house import House
from feilun.records import Feedback, Json
from feilun.testing import FakeBook, FakeClock, FakeTrainer, MemoryStore
from feilun.testing.kiosk import KIOSK

GOLDEN = Path(__file__).parents[1] / "golden" / "runway.json"
BARE = 'currency = "CNY"\ncash = { amount = 100, on = 2026-01-15, why = "the bank" }\n'
RENT = '[[spending]]\nname = "Rent"\namount = 10\n'


def a_file(folder: Path, text: str) -> Path:
    path = folder / "runway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def seen(folder: Path, text: str, seed: int = 0, **units: Unit) -> Outlook:
    return outlook(read(a_file(folder, text)), units, seed)


@pytest.fixture(scope="module")
def example() -> Outlook:
    return outlook(read(EXAMPLE), {})


# How long it lasts


def test_what_is_certain_lasts_as_long_as_one_can_count(tmp_path: Path) -> None:
    found = seen(tmp_path, BARE + RENT)
    assert [each.months for each in found.planned.quantiles] == [10.0] * 5
    assert [each.probability for each in found.planned.lasts] == [1.0, 0.0, 0.0, 0.0]
    assert found.planned.fan[2].tolist()[:3] == [100, 90, 80]


@pytest.mark.parametrize(
    ("more", "months"),
    [
        ("heads = 2", 5.0),
        ("start = 2026-03-15", 12.0),  # two months of nothing
        ("start = 2026-03-20\nonce = true", None),
        ("end = 2026-05-14", None),  # four months, and 60 is left
        ("start = 2025-01-01", 10.0),  # it has begun before
    ],
)
def test_a_table_says_when_and_how_often_it_is_paid(
    tmp_path: Path, more: str, months: float | None
) -> None:
    assert seen(tmp_path, BARE + RENT + more).planned.median == months


def test_funding_comes_with_its_probability_and_what_comes_late_does_not_revive(
    tmp_path: Path,
) -> None:
    fund = '[[funding]]\nname = "Round"\namount = 1000\non = {}\nprobability = 0.3\n'
    early = seen(tmp_path, BARE + RENT + fund.format("2026-06-15"))
    twelve = early.planned.lasts[1]
    assert twelve.low < 0.3 < twelve.high
    assert seen(tmp_path, BARE + RENT + fund.format("2027-03-15")).planned.lasts[1].probability == 0


def test_growth_and_volatility_have_the_mean_that_was_declared(tmp_path: Path) -> None:
    sales = '[[income]]\nname = "Sales"\namount = 10\nmonthly_growth = 0.05\n'
    company = read(a_file(tmp_path, BARE + sales + "monthly_volatility = 0.1\n"))
    (part,) = flows.parts(company, {}, 0)
    means = part.money.mean(axis=0)
    errors = part.money.std(axis=0) / math.sqrt(len(part.money))
    exact = 10 * 1.05 ** np.arange(company.horizon)
    assert (np.abs(means - exact) <= 4 * errors + 1e-9).all()


def test_another_seed_gives_other_draws_and_the_same_one_the_same(example: Outlook) -> None:
    again, other = (outlook(read(EXAMPLE), {}, seed) for seed in (0, 1))
    assert capital.to_json(again) == capital.to_json(example)
    assert other.planned.median != example.planned.median
    assert other.planned.median == pytest.approx(example.planned.median, abs=1)


def test_what_moves_the_median_most_comes_first(example: Outlook) -> None:
    swings = [each.swing for each in example.drivers]
    assert swings == sorted(swings, reverse=True)
    assert example.drivers[0].name == "Support seats"
    people = next(each for each in example.drivers if each.name == "People")
    assert people.swing == 0  # nothing of it is uncertain
    assert people.tenth_worse < people.tenth_better


def test_a_promise_that_cannot_be_kept_is_said_to_be_broken(tmp_path: Path) -> None:
    plan = (
        "[allocation]\nbudget = 50\nmonths = 12\nprobability = 0.9\n"
        '[[allocation.buckets]]\nname = "b"\nmost = 60\nscale = 50\nover = 100\n'
    )
    found = seen(tmp_path, BARE + RENT + plan)
    assert found.split is not None
    assert not found.split.held
    assert "cannot be kept" in shown(found, "en")


# What tasks earn


def a_house(*days: int, prices: dict[str, str] | None = None) -> House:
    """A kiosk with so many calls on each day from 1 March on: each earns 0.5 and costs 0.06."""
    book = FakeBook({**PRICES, "revenue:accepted": "0.5"} if prices is None else prices)
    clock = FakeClock(at(24 * 60 * len(days)))
    house = House(MemoryStore(), book=book, clock=clock, trainer=FakeTrainer())
    house.declare(KIOSK)
    for day, count in enumerate(days):
        for number in range(count):
            id, minutes = f"{day}-{number}", 24 * 60 * day + number
            call = a_call(id, minutes, tokens_in=100, tokens_out=5)
            said = Feedback(id=f"said {id}", task=KIOSK.task, at=call.at, call=id, said="accepted")
            house.keep(call, said)
    return house


def measured(house: House) -> Unit:
    today = house.clock.now().date()
    return measure(house, [KIOSK.task], house.book.currency, today)[KIOSK.task]


def test_margin_and_calls_of_a_task_come_from_the_ledger() -> None:
    unit = measured(a_house(4, 8, 6))
    assert unit.margin == pytest.approx(0.44)
    assert unit.margin_error == pytest.approx(0, abs=1e-9)  # every call earns the same
    assert unit.calls_per_day == 6
    assert unit.calls_error == pytest.approx(math.sqrt(6 / 3))  # a Poisson count's, at least
    assert unit.last == at(0).date() + timedelta(days=2)


def test_a_day_without_calls_counts_as_one() -> None:
    assert measured(a_house(4, 0, 8)).calls_per_day == 4


def test_what_the_ledger_does_not_know_is_refused_and_never_guessed() -> None:
    with pytest.raises(InputError, match="no price for"):
        measured(a_house(4, 4, prices={"revenue:accepted": "0.5"}))
    with pytest.raises(InputError, match="calls on fewer than 2 of the days"):
        measured(a_house(4))
    house = a_house(4, 4)
    with pytest.raises(InputError, match="Currencies are never mixed"):
        measure(house, [KIOSK.task], "XXX", house.clock.now().date())


TASK = '[[income]]\nname = "Tickets"\ntask = "shelf"\n'


def test_a_task_is_measured_or_declared_and_the_page_says_which(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Name the --store"):
        seen(tmp_path, BARE + TASK)
    assumed = seen(tmp_path, BARE + TASK + "per_call = 0.1\ncalls_per_day = 10\n")
    assert "assumed, not measured" in shown(assumed, "en")
    on = at(0).date()
    unit = Unit("shelf", 0.1, 0.01, 10.0, 1.0, on, on, payback_on=on)
    told = shown(seen(tmp_path, BARE + TASK, shelf=unit), "en")
    assert "measured 2026-03-01" in told
    assert "Paid back on 2026-03-01" in told


# Bad input


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "currency: Field required"),
        ("currency = 'yuan'", "currency:"),
        ("=", "is not TOML in UTF-8"),
        (BARE + RENT + "amont = 3", r"spending\.'Rent'\.amont: Extra inputs"),
        (BARE + RENT.replace("10", '"ten"'), r"spending\.'Rent'\.amount:"),
        (BARE + RENT.replace("10", "nan"), r"spending\.'Rent'\.amount:"),
        (BARE + RENT.replace("10", "1e300"), r"spending\.'Rent'\.amount:"),
        (BARE + RENT + "start = 2026-05-01\nend = 2026-04-01", "ends before it starts"),
        (BARE + RENT + RENT, "two spending tables are named 'Rent'"),
        (BARE + RENT + 'currency = "USD"', r"spending\.Rent is in 'USD' and the file in CNY"),
        (BARE + '[[income]]\nname = "a"', "needs either amount .* or task"),
        (BARE + '[[bet]]\nname = "b"\nvalue = 1\nvolatility = 1\nstages = []', "bet.'b'.stages:"),
        ("horizon = 6\n" + BARE + "[allocation]\nbudget = 1\nmonths = 7\nprobability = 0.5\n",
         "raise horizon"),
        ("[" * 5000, "is not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_said_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read(a_file(tmp_path, text))


def test_a_file_that_is_missing_huge_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.toml")
    with pytest.raises(InputError, match="over 1,000,000 bytes"):
        read(a_file(tmp_path, "#" * 1_000_001))
    (tmp_path / "gbk.toml").write_bytes("# 现金".encode("gbk"))
    with pytest.raises(InputError, match="is not TOML in UTF-8"):
        read(tmp_path / "gbk.toml")


def test_a_figure_without_a_reason_is_flagged_by_its_place(tmp_path: Path) -> None:
    company = read(a_file(tmp_path, BARE + RENT))
    assert {each.place: each.why for each in assumptions(company)} == {
        "cash.amount": "the bank", "cash.on": "the bank", "spending.Rent.amount": None
    }  # fmt: skip
    assert "1 of 3 figures have no reason (why): spending.Rent." in shown(
        outlook(company, {}), "en"
    ).replace("`", "")


# Shown


def shown(found: Outlook, language: str) -> str:
    console = Console(width=200, record=True, file=sys.stderr, quiet=False)
    with console.capture() as capture:
        console.print(render(found, language))
    return capture.get()


def test_the_example_gives_the_figures_of_the_golden(example: Outlook) -> None:
    """Is a change meant? `feilun runway src/feilun/capital/example.toml --json`; read the diff."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    golden.pop("report")
    same(capital.to_json(example), golden, "")


def same(found: Json, golden: Json, place: str) -> None:
    """The same shape and words; figures to a thousandth, because a processor rounds as it likes."""
    match golden:
        case dict():
            assert found.keys() == golden.keys(), place
            for key in golden:
                same(found[key], golden[key], f"{place}.{key}")
        case list():
            assert len(found) == len(golden), place
            for number, each in enumerate(golden):
                same(found[number], each, f"{place}[{number}]")
        case float():
            assert found == pytest.approx(golden, rel=1e-3), place
        case _:
            assert found == golden, place


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_holds_the_answer_the_rules_and_the_split(
    example: Outlook, language: str
) -> None:
    told = shown(example, language)
    for words in ("Robot cell", "Pilot at a customer", "applications", "Support seats", "▇"):
        assert words in told


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_needs_nothing_else_and_escapes_names(tmp_path: Path, language: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace("Robot cell", "<script>alert(1)</script>")
    write_page(outlook(read(a_file(tmp_path, text)), {}), tmp_path / "page.html", language)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert "nan" not in page.replace("finance", "")
    assert page.count("<svg") == 5  # the mark, and two charts for a desk and for a phone


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path, example: Outlook) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_page(example, tmp_path / "none" / "page.html", "en")


def test_a_file_with_cash_alone_is_shown_too(tmp_path: Path) -> None:
    found = seen(tmp_path, BARE)
    assert found.planned.median is None
    assert "over 36" in shown(found, "en")
    write_page(found, tmp_path / "page.html", "en")


@pytest.mark.parametrize(
    ("amount", "english", "chinese"),
    [
        (0, "¥0.00", "¥0.00"),
        (3_600_000, "¥3.6M", "¥360万"),
        (-2_110_000, "-¥2.11M", "-¥211万"),
        (999.4, "¥999.40", "¥999.40"),
        (12_345_678_901, "¥12.3bn", "¥123亿"),
        (5e13, "¥50,000bn", "¥500,000亿"),
    ],
)
def test_large_amounts_are_short(amount: float, english: str, chinese: str) -> None:
    assert Words("en", "CNY").amount(amount) == english
    assert Words("zh", "CNY").amount(amount) == chinese


@pytest.mark.parametrize("key", CATALOGUE)
def test_a_sentence_exists_in_both_languages_with_the_same_places(key: str) -> None:
    english, chinese = (
        {name for _, name, _, _ in Formatter().parse(said) if name} for said in CATALOGUE[key]
    )
    assert english == chinese
    assert all(CATALOGUE[key])


def test_every_sentence_is_used() -> None:
    files = [*Path(capital.__file__).parent.glob("*.py")]
    code = "".join(f.read_text(encoding="utf-8") for f in files if f.stem != "catalogue")
    built = ("rule.", "split.", "assumption.")
    assert [k for k in CATALOGUE if f'"{k}"' not in code and not k.startswith(built)] == []


# The command


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["feilun", "runway", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    found = capsys.readouterr()
    return int(ended.value.code or 0), found.out, found.err


def test_the_example_that_is_printed_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed, _ = said(monkeypatch, capsys, "--example")
    assert code == 0
    page = tmp_path / "page.html"
    code, out, _ = said(
        monkeypatch, capsys, a_file(tmp_path, printed), "--json", "--seed", 3, "--report", page
    )
    assert code == 0
    assert json.loads(out)["schema"] == "feilun.runway/1"
    assert json.loads(out)["seed"] == 3
    assert page.exists()


@pytest.mark.parametrize("words", [(), ("none.toml",), (EXAMPLE, "--store", "none")])
def test_what_cannot_be_used_ends_in_one_sentence(
    words: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = said(monkeypatch, capsys, *words)
    assert code == cli.options.UNUSABLE
    assert out == ""
    assert err.startswith("InputError")
