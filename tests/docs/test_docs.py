"""The docs are run: examples, commands, links, twins and the pages made from code."""

import importlib.util
import shlex
import tomllib
from pathlib import Path
from types import ModuleType

import pages
import pytest
import typer.main
from pages import ROOT, name_of
from pydantic import BaseModel

from feilun import cli
from feilun.cli import options
from feilun.gateway.config import (
    AuditsConfig,
    CaptureConfig,
    Config,
    EmbeddedConfig,
    LimitsConfig,
    ServerConfig,
    TaskConfig,
)
from feilun.gateway.routes import ROUTES
from feilun.ledger.book import ITEMS

PAGES = pages.pages()
RUNNABLE = [page for page in PAGES if ".zh" not in page.name and pages.blocks(page, "python")]
COMMANDS = sorted({(name_of(page), line) for page in PAGES for line in pages.commands(page)})
TWINS = pages.twins()
TWINNED = [
    page
    for folder in (ROOT / "docs" / "tutorial", ROOT / "docs" / "how-to")
    for page in sorted(folder.glob("*.md"))
    if ".zh" not in page.name
]


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_examples_of_a_page_run_and_print_what_it_says(page: Path) -> None:
    for block, printed, said in pages.run(page):
        stands = said.text if said else ""
        assert pages.same(stands, printed), (
            f"{name_of(page)}:{block.line} prints\n{printed}\nand the page says\n{stands}\n"
            "Is the change meant? Then run `make reference`."
        )


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_of_a_page_parse(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command, name = typer.main.get_command(cli.app), "feilun"
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{page}: {name} has no command {words[0]!r}"
        command, name = command.commands[words[0]], f"{name} {words.pop(0)}"
    if "--help" not in words and (words or not hasattr(command, "commands")):
        command.make_context(name, words)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in pages.links(page):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{name_of(page)} links to {link}: there is no such file"
        if anchor:
            assert anchor in pages.anchors(path), f"{name_of(page)}: no heading makes {link}"


@pytest.mark.parametrize(("page", "twin"), TWINS, ids=lambda page: name_of(page))
def test_a_page_and_its_chinese_twin_have_the_same_shape(page: Path, twin: Path) -> None:
    depths = [[depth for depth, _ in pages.headings(one)] for one in (page, twin)]
    assert depths[0] == depths[1], f"{name_of(twin)} has other headings than {name_of(page)}"
    code = [
        [block.text for block in pages.blocks(one, "python", "toml", "sh")] for one in (page, twin)
    ]
    assert code[0] == code[1], f"{name_of(twin)} has other examples than {name_of(page)}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *TWINNED], ids=name_of)
def test_a_page_for_newcomers_has_a_chinese_twin(page: Path) -> None:
    assert page.with_suffix(".zh.md").exists()


def test_reference_made_from_the_code_is_current() -> None:
    made = _script(ROOT / "docs" / "make_reference.py").pages()
    for path, text in made.items():
        stands = path.read_text(encoding="utf-8") if path.exists() else ""
        assert stands == text, f"{name_of(path)} is behind the code: run `make reference`"


def test_reference_names_every_price_item_and_exit_code() -> None:
    prices = (ROOT / "docs/reference/prices.md").read_text(encoding="utf-8")
    assert [item for item in ITEMS if f"`{item}`" not in prices] == []
    codes = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    numbers = (options.DONE, options.NO, options.UNUSABLE, options.STORE)
    assert [number for number in numbers if f"| {number} |" not in codes] == []


def test_reference_names_every_key_of_feilun_toml() -> None:
    text = (ROOT / "docs/reference/feilun-toml.md").read_text(encoding="utf-8")
    tables: dict[str, type[BaseModel]] = {
        "engines.NAME": ServerConfig,
        'tasks."NAME"': TaskConfig,
        "embedded": EmbeddedConfig,
        "capture": CaptureConfig,
        "audits": AuditsConfig,
        "limits": LimitsConfig,
    }
    keys = {f"`[{name}]`": set(part.model_fields) for name, part in tables.items()}
    keys["`[aliases]`"] = set()
    keys["Top"] = set(Config.model_fields) - {
        name.partition(".")[0] for name in [*tables, "aliases"]
    }
    for title, wanted in keys.items():
        section = text.split(f"## {title}\n")[1].split("\n## ")[0]
        assert [key for key in sorted(wanted) if f"| `{key}` |" not in section] == []


def test_reference_names_every_path_and_scope_of_the_gateway() -> None:
    text = (ROOT / "docs/reference/http.md").read_text(encoding="utf-8")
    rows = [f"| `{r.method} {r.path}` | {f'`{r.scope}`' if r.scope else 'none'} |" for r in ROUTES]
    assert [row for row in rows if row not in text] == []


def test_pins_name_no_host_and_hash_every_package() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    files = [ROOT / "constraints.txt"]
    files += [ROOT / "constraints" / f"{extra}.txt" for extra in extras["optional-dependencies"]]
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index-url" not in text
        assert "--find-links" not in text
        for pin in text.replace("\\\n", " ").splitlines():
            if pin and not pin.lstrip().startswith("#"):
                assert "==" in pin, f"{file.name}: {pin}"
                assert "--hash=sha256:" in pin, f"{file.name}: {pin}"


def _script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
