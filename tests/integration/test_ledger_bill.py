"""A provider's bill of a month is explained to the last digit, whatever went wrong in it."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feilun.cli import app
from feilun.errors import InputError, NotFound
from feilun.house import House
from feilun.ledger import Reconciled, Why, read_bill
from feilun.records import RAW, Bill, Call, Json, Posting
from feilun.verify import verify
from feilun.wiring import open_house

BOOK = """
currency = "USD"
[models.gpt-4o]
input_token = { amount = "2.5", per = 1000000, source = "price list", since = 2026-01-01 }
cached_token = { amount = "1.25", per = 1000000, source = "price list", since = 2026-01-01 }
output_token = { amount = "10", per = 1000000, source = "price list", since = 2026-01-01 }
[models.house-mini]
input_token = { amount = "0.15", per = 1000000, source = "price list", since = 2026-01-01 }
output_token = { amount = "0.6", per = 1000000, source = "price list", since = 2026-01-01 }
"""
CENT = Decimal("0.01")
MILLION = 1_000_000


def a_call(id: str, day: int, model: str = "gpt-4o", **more: Json) -> Call:
    tokens = {"tokens_in": 1_000_003, "tokens_cached": 400_001, "tokens_out": 90_007}
    return Call(
        id=id, task=RAW, at=datetime(2026, 3, day, 12, tzinfo=UTC), input={}, output={},
        variant=model, by="teacher", **{**tokens, **more},
    )  # fmt: skip


Row = tuple[int, str, str, int, Decimal]


def a_line(day: int, model: str, item: str, tokens: int, per_million: str) -> Row:
    amount = (Decimal(tokens) * Decimal(per_million) / MILLION).quantize(CENT, ROUND_HALF_EVEN)
    return (day, model, item, tokens, amount)


def a_csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["date", "model", "item", "quantity", "unit", "amount", "currency"])
    for day, model, item, tokens, amount in rows:
        writer.writerow([date(2026, 3, day), model, item, tokens, "token", amount, "USD"])
    return out.getvalue()


def a_full_day(day: int, model: str, price: tuple[str, str, str]) -> list[Row]:
    """What the provider bills of one whole call."""
    sizes = (("input", 600_002), ("cached input", 400_001), ("output", 90_007))
    return [
        a_line(day, model, item, tokens, each)
        for (item, tokens), each in zip(sizes, price, strict=True)
    ]


LIST = ("2.5", "1.25", "10")
CHEAPER = ("2", "1", "8")
DATED = "gpt-4o-2024-08-06"


def a_month() -> tuple[list[Call], list[Row]]:
    """Seven days on which seven things are different on the two sides."""
    calls = [
        a_call("well", 1),
        a_call("in full", 2),
        a_call("left", 3), a_call("left 2", 3, ended="client_left"),
        a_call("broke", 4),
        a_call("broke 2", 4, ended="engine_broke", tokens_in=None, tokens_cached=None,
               tokens_out=None, seconds=3.5),
        a_call("unbilled", 5), a_call("unbilled 2", 5, tokens_cached=0),
        a_call("cheaper", 20), a_call("mini", 21, "house-mini", tokens_cached=0),
    ]  # fmt: skip
    rows = [
        *a_full_day(1, DATED, LIST),
        # the cache was not granted
        a_line(2, DATED, "input", 1_000_003, "2.5"), a_line(2, DATED, "output", 90_007, "10"),
        *a_full_day(3, DATED, LIST),
        *a_full_day(4, DATED, LIST), a_line(4, DATED, "output", 55_555, "10"),
        *a_full_day(5, DATED, LIST),
        *a_full_day(6, DATED, LIST),  # nobody called
        *a_full_day(20, DATED, CHEAPER),  # since the 16th
        a_line(21, "mini-of-theirs", "input", 1_000_003, "0.15"),
        a_line(21, "mini-of-theirs", "output", 90_007, "0.6"),
        (21, "", "web search", 3, Decimal("0.03")),
    ]  # fmt: skip
    return calls, rows


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "book.toml").write_text(BOOK)
    house = open_house(tmp_path / "store", prices=tmp_path / "book.toml")
    calls, rows = a_month()
    house.keep(*calls)
    house.close()
    (tmp_path / "bill.csv").write_text(a_csv(rows))
    return tmp_path


@pytest.fixture
def house(store: Path) -> Iterator[House]:
    house = open_house(store / "store", prices=store / "book.toml")
    yield house
    house.close()


def reconciled(house: House, store: Path) -> Reconciled:
    names = {"mini-of-theirs": "house-mini"}
    bill = house.accounts.take_bill(store / "bill.csv", "generic", names)
    return house.accounts.reconcile(bill)


def test_the_steps_sum_to_the_difference_exactly(house: House, store: Path) -> None:
    found = reconciled(house, store)
    assert found.theirs == sum(row[4] for row in a_month()[1])
    assert found.ours == sum(row.amount or 0 for row in house.store.read(Posting))
    assert found.ours + sum(step.amount for step in found.steps) == found.theirs
    assert found.total(Why.UNEXPLAINED) == 0


def test_each_difference_is_found_with_its_reason_and_its_amount(house: House, store: Path) -> None:
    found = reconciled(house, store)
    whole = Decimal("2.5") * 600_002 + Decimal("1.25") * 400_001 + 10 * 90_007
    steps = {why: found.total(why) * MILLION for why in Why}
    assert steps[Why.CACHED] == Decimal("1.25") * 400_001
    assert steps[Why.FAILED] == 10 * 55_555 - whole
    assert steps[Why.NOT_BILLED] == -(Decimal("2.5") * 1_000_003 + 10 * 90_007)
    assert steps[Why.NOT_IN_LOG] == whole
    assert steps[Why.PRICE] == -whole / 5
    assert steps[Why.OTHER] == 30_000
    assert abs(found.total(Why.ROUNDING)) < CENT * len(a_month()[1]) / 2
    assert found.renamed == {DATED: "gpt-4o", "mini-of-theirs": "house-mini"}


def test_differences_lie_on_the_day_on_which_they_arose(house: House, store: Path) -> None:
    found = reconciled(house, store)
    days = {step.why: {step.day.day for step in found.steps if step.why is each and step.day}
            for each in Why for step in found.steps if step.why is each}  # fmt: skip
    assert days[Why.CACHED] == {2}
    assert days[Why.FAILED] == {3, 4}
    assert days[Why.NOT_BILLED] == {5}
    assert days[Why.NOT_IN_LOG] == {6}
    assert days[Why.PRICE] == {20}


def test_corrections_make_the_journal_say_what_is_owed_once_and_edit_nothing(
    house: House, store: Path
) -> None:
    before = list(house.store.read(Posting))
    found = reconciled(house, store)
    posted = house.accounts.correct(found)
    assert house.accounts.correct(found) == []
    after = list(house.store.read(Posting))
    assert after[: len(before)] == before
    owed = [b.amount for name, b in house.accounts.balances().items() if "payable" in name]
    assert -sum(owed) == found.theirs
    assert {row.task for row in posted} == {"*"}
    assert [check.problem for check in verify(house) if check.problem] == []


def test_a_bill_imported_again_is_no_news(house: House, store: Path) -> None:
    first = reconciled(house, store).bill
    assert reconciled(house, store).bill == first
    assert list(house.store.read(Bill)) == [first]
    with pytest.raises(NotFound, match="ledger bills"):
        house.accounts.bill("nothing")


def test_a_bill_of_whole_months_is_held_against_the_month(house: House, store: Path) -> None:
    rows = [row for row in a_month()[1] if row[0] == 1]
    text = a_csv(rows).replace("2026-03-01", "2026-03")
    (store / "month.csv").write_text(text)
    found = house.accounts.reconcile(house.accounts.take_bill(store / "month.csv", "generic", {}))
    assert (found.bill.first, found.bill.last) == (date(2026, 3, 1), date(2026, 3, 31))
    assert found.ours + sum(step.amount for step in found.steps) == found.theirs
    assert found.total(Why.NOT_BILLED) < 0


def test_a_bill_in_another_currency_is_compared_at_the_declared_rate(store: Path) -> None:
    bill = a_csv(a_full_day(1, "gpt-4o", LIST)).replace("USD", "EUR")
    (store / "eur.csv").write_text(bill)
    house = open_house(store / "store", prices=store / "book.toml")
    taken = house.accounts.take_bill(store / "eur.csv", "generic", {})
    with pytest.raises(InputError, match=r"\[exchange\] and EUR"):
        house.accounts.reconcile(taken)
    house.close()
    rate = '[exchange]\nEUR = { amount = "1.1", source = "ECB", since = 2026-01-01 }\n'
    (store / "book.toml").write_text(BOOK + rate)
    house = open_house(store / "store", prices=store / "book.toml")
    found = house.accounts.reconcile(taken)
    house.close()
    assert found.theirs == Decimal("1.1") * sum(r[4] for r in a_full_day(1, "", LIST))
    whole = Decimal("2.5") * 600_002 + Decimal("1.25") * 400_001 + 10 * 90_007
    assert found.total(Why.PRICE) * MILLION == whole / 10
    assert found.total(Why.UNEXPLAINED) == 0


def test_a_bill_without_quantities_is_explained_where_amounts_agree(
    house: House, store: Path
) -> None:
    rows = [[f"2026-03-0{day}T00:00:00+00:00", f"{DATED}, {item}", amount, "usd"]
            for day, _, item, _, amount in a_full_day(1, DATED, LIST)]  # fmt: skip
    head = ["start_time_iso", "line_item", "amount_value", "amount_currency"]
    text = "\n".join(",".join(f'"{cell}"' for cell in row) for row in [head, *rows])
    (store / "openai.csv").write_text(text)
    found = house.accounts.reconcile(house.accounts.take_bill(store / "openai.csv", "openai", {}))
    assert {step.why for step in found.steps} == {Why.ROUNDING}
    (store / "odd.csv").write_text(text.replace("0.90", "0.77"))
    found = house.accounts.reconcile(house.accounts.take_bill(store / "odd.csv", "openai", {}))
    assert found.total(Why.UNEXPLAINED) == Decimal("0.77") - Decimal("0.90007")


def run(store: Path, *words: str) -> tuple[int, dict[str, Json]]:
    options = ["--store", str(store / "store"), "--prices", str(store / "book.toml"), "--json"]
    result = CliRunner().invoke(app, ["ledger", *words, *options])
    return result.exit_code, json.loads(result.stdout)


def test_the_command_line_reconciles_the_month(store: Path) -> None:
    bill = str(store / "bill.csv")
    code, taken = run(store, "import-bill", bill, "--map", "mini-of-theirs=house-mini")
    assert (code, taken["lines"]) == (0, len(a_month()[1]))
    code, found = run(store, "reconcile", taken["id"][:8], "--post")
    assert code == 0
    assert found["totals"]["unexplained"] == "0"
    steps = [Decimal(step["amount"]) for step in found["steps"]]
    assert Decimal(found["ours"]) + sum(steps) == Decimal(found["theirs"])
    assert run(store, "bills")[1]["bills"][0]["id"] == taken["id"]
    code, overview = run(store, "--by", "model")
    assert code == 0
    assert {row["name"] for row in overview["accounts"]} >= {"gpt-4o", "house-mini"}


def test_the_terminal_shows_every_step_and_what_stays_unexplained(store: Path) -> None:
    options = ["--store", str(store / "store"), "--prices", str(store / "book.toml")]
    runner = CliRunner(env={"COLUMNS": "160"})
    said = runner.invoke(app, ["ledger", "import-bill", str(store / "bill.csv"), *options])
    id = said.stdout.split()[1].rstrip(":")
    told = runner.invoke(app, ["ledger", "reconcile", id, *options])
    assert "unexplained" in told.stdout
    assert "the bill calls it gpt-4o-2024-08-06" in told.stdout


# Files that are no bills

BAD: dict[str, tuple[Callable[[str], str], str]] = {
    "no day": (lambda text: text.replace("date,", "when,"), "no column says the day"),
    "odd day": (lambda text: text.replace("2026-03-01", "yesterday"), "line 2: 'yesterday'"),
    "odd month": (lambda text: text.replace("2026-03-01", "2026-13"), "line 2: '2026-13'"),
    "odd amount": (lambda text: text.replace("1.50", "much"), "line 2: amount 'much'"),
    "not finite": (lambda text: text.replace("1.50", "NaN"), "line 2: amount 'NaN'"),
    "huge": (lambda text: text.replace("1.50", "1e999"), "line 2: amount '1e999'"),
    "odd unit": (lambda text: text.replace("token,", "bucket,", 1), "line 2: unknown unit"),
    "no currency": (lambda text: text.replace("USD", ""), "line 2: no currency"),
    "two currencies": (lambda text: text.replace("USD", "CNY", 1), "several currencies"),
    "no model": (lambda text: text.replace(DATED, ""), "not of which model"),
    "empty": (lambda _: "", "no column says the day"),
    "no charges": (lambda text: text.partition("\n")[0], "no charges"),
    "json": (lambda _: '{"data": 3}', "no answer of a cost API"),
    "bytes": (lambda _: "\0" * 100, "no column"),
}


@pytest.mark.parametrize("change", BAD)
def test_a_file_that_is_no_bill_says_where_and_why(tmp_path: Path, change: str) -> None:
    alter, words = BAD[change]
    file = tmp_path / "bill.csv"
    file.write_text(alter(a_csv(a_full_day(1, DATED, LIST))))
    with pytest.raises(InputError, match=r"bill\.csv") as caught:
        read_bill(file, "generic", {}, datetime(2026, 4, 1, tzinfo=UTC))
    assert words in str(caught.value)


def test_a_bill_in_chinese_as_a_spreadsheet_saves_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "账单.csv"
    text = (
        "日期,模型名称,计费项,用量(千tokens),单位,应付金额,币种\n"
        '2026/03/01,qwen-plus,输入,"1,200.5",千tokens,0.96,人民币\n'
        "2026/03/01,qwen-plus,输入（缓存命中）,200,千tokens,0.03,人民币\n"
        "2026/03/01,qwen-plus,输出,10,千tokens,0.02,人民币\n"
    )
    file.write_bytes(text.encode("gb18030"))
    bill = read_bill(file, "generic", {}, datetime(2026, 4, 1, tzinfo=UTC))
    assert [(line.item, line.quantity) for line in bill.lines] == [
        ("input_token", 1_200_500), ("cached_token", 200_000), ("output_token", 10_000),
    ]  # fmt: skip
    assert (bill.currency, bill.total) == ("CNY", Decimal("1.01"))


def test_the_answers_of_both_cost_apis_are_read(tmp_path: Path) -> None:
    openai = {"object": "page", "data": [{"start_time": 1772323200, "results": [
        {"amount": {"value": 0.06, "currency": "usd"}, "line_item": f"{DATED}, cached input",
         "quantity": 48_000}]}]}  # fmt: skip
    anthropic = {"data": [{"starting_at": "2026-03-01T00:00:00Z", "results": [
        {"amount": "123.45", "currency": "USD", "model": "claude-x", "cost_type": "tokens",
         "token_type": "uncached_input_tokens"},
        {"amount": "50", "currency": "USD", "model": None, "cost_type": "web_search",
         "description": "Web search", "token_type": None}]}]}  # fmt: skip
    read = {}
    for provider, said in (("openai", openai), ("anthropic", anthropic)):
        file = tmp_path / f"{provider}.json"
        file.write_text(json.dumps(said))
        read[provider] = read_bill(file, provider, {}, datetime(2026, 4, 1, tzinfo=UTC))
    (line,) = read["openai"].lines
    assert (line.model, line.item, line.amount) == (DATED, "cached_token", Decimal("0.06"))
    assert (line.day, line.quantity) == (date(2026, 3, 1), 48_000)
    tokens, search = read["anthropic"].lines
    assert (tokens.model, tokens.item, tokens.amount) == (
        "claude-x", "input_token", Decimal("1.2345"),
    )  # fmt: skip
    assert (search.item, search.amount) == ("Web search", Decimal("0.50"))


def test_the_journal_is_exported_to_a_new_file_or_to_standard_output(store: Path) -> None:
    options = ["--store", str(store / "store"), "--prices", str(store / "book.toml")]
    to = store / "journal.csv"
    runner = CliRunner()
    printed = runner.invoke(app, ["ledger", "export", *options]).stdout
    code, said = run(store, "export", "--to", str(to))
    assert (code, said["unknown"]) == (0, 1)  # the seconds of the call that broke
    assert to.read_text() == printed
    again = runner.invoke(app, ["ledger", "export", "--to", str(to), *options])
    assert "Name a new file" in str(again.exception)
    both = runner.invoke(app, ["ledger", "export", "--json", *options])
    assert "--to" in str(both.exception)


def test_the_overview_names_what_has_no_price(store: Path) -> None:
    options = ["--store", str(store / "store"), "--prices", str(store / "book.toml")]
    told = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["ledger", *options]).stdout
    assert "No price is known of: model:gpt-4o:second." in told
    code, found = run(store, "--by", "key", "--since", "2026-03-20")
    assert (code, found["accounts"][0]["calls"], found["accounts"][0]["name"]) == (0, 2, "(none)")
    assert run(store, "close")[1] == {"schema": "feilun.closing/1", "postings": []}
