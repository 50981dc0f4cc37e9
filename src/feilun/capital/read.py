"""Reads the file. What is wrong in it is said with its place and what to write instead."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from feilun.capital.company import Company, Declared
from feilun.errors import InputError

EXAMPLE = Path(__file__).parent / "example.toml"
_MOST_BYTES = 1_000_000
_SILENT = {"why", "currency", "name"}


@dataclass(frozen=True)
class Assumption:
    """One figure of the file: where it stands, what it is, and why. None: no reason is given."""

    place: str
    value: str
    why: str | None


def read(path: Path) -> Company:
    """The company that a file declares. Raises InputError."""
    raw = _toml(path)
    try:
        company = Company.model_validate(_lists_as_tuples(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = _place(raw, first["loc"]) or "the file"
        words = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{path}: {place}: {words}. `feilun runway --example` shows a whole file."
        ) from error
    _check_currencies(path, company)
    _check_names(path, company)
    return company


def assumptions(company: Company) -> list[Assumption]:
    """Every figure that was declared, in the order of the file's tables."""
    return [
        Assumption(f"{place}.{field}" if place else field, _shown(value), table.why)
        for place, table in tables(company)
        for field, value in table
        if field in table.model_fields_set
        and field not in _SILENT
        and not isinstance(value, tuple | BaseModel)
    ]


def tables(table: Declared, place: str = "") -> Iterator[tuple[str, Declared]]:
    """A table and all within it, each with its place: `income.Support`."""
    yield place, table
    for field, value in table:
        within = f"{place}.{field}" if place else field
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Declared):
                name = getattr(each, "name", None)
                yield from tables(each, f"{within}.{name}" if name else within)


def _toml(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: is over {_MOST_BYTES:,} bytes: not such a file.")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). "
            "`feilun runway --example > runway.toml` writes one to start from."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not TOML in UTF-8: {error}.") from error


def _lists_as_tuples(value: object) -> object:
    """TOML has lists where the frozen tables hold tuples, and whole numbers where money may be."""
    match value:
        case dict():
            return {key: _lists_as_tuples(each) for key, each in value.items()}
        case list():
            return tuple(_lists_as_tuples(each) for each in value)
        case _:
            return value


def _place(raw: object, loc: tuple[int | str, ...]) -> str:
    """`income."Support".amount`: a person looks for names, not for numbers."""
    words: list[str] = []
    for step in loc:
        if isinstance(raw, dict):
            raw = raw.get(str(step))
            words.append(str(step))
        elif isinstance(raw, list | tuple) and isinstance(step, int) and step < len(raw):
            raw = raw[step]
            name = raw.get("name") if isinstance(raw, dict) else None
            words.append(repr(name[:60]) if isinstance(name, str) else f"number {step + 1}")
    return ".".join(words)


def _check_currencies(path: Path, company: Company) -> None:
    for place, table in tables(company):
        if table.currency not in (None, company.currency):
            raise InputError(
                f"{path}: {place} is in {table.currency[:10]!r} and the file in "
                f"{company.currency}. Currencies are never mixed: convert it, and say at which "
                "rate in `why`."
            )


def _check_names(path: Path, company: Company) -> None:
    buckets = company.allocation.buckets if company.allocation else ()
    for kind, rows in (
        ("income", company.income),
        ("spending", company.spending),
        ("funding", company.funding),
        ("bet", company.bet),
        ("allocation.buckets", buckets),
    ):
        names = [row.name for row in rows]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"{path}: two {kind} tables are named {name!r}. Rename one.")


def _shown(value: object) -> str:
    return (
        f"{value:,g}"
        if isinstance(value, float) and abs(value) < 1e5
        else (f"{value:,.0f}" if isinstance(value, float) else str(value))
    )
