"""`feilun models`: the models of the catalogue, and their files on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from feilun.cli.options import DONE, NO, AsJson
from feilun.errors import EngineError, InputError
from feilun.records import Json
from feilun.terminal import byte_bar, err, out, print_json, say

if TYPE_CHECKING:
    from feilun.models.catalogue import Catalogue, Model, Source
    from feilun.models.folder import Folder

models_app = typer.Typer(
    name="models",
    help="List, pull, verify, add and remove the models that run on this machine.",
    epilog="Example: `feilun models`",
)

Place = Annotated[
    Path | None,
    typer.Option("--folder", envvar="FEILUN_MODELS", help="The folder of models."),
]
Name = Annotated[str, typer.Argument(help="A name of the catalogue.")]


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, folder: Place = None, as_json: AsJson = False) -> None:
    """List, pull, verify, add and remove the models that run on this machine."""
    if context.invoked_subcommand is None:
        list_models(folder, as_json)


@models_app.command("list", epilog="Example: `feilun models list --json`")
def list_models(folder: Place = None, as_json: AsJson = False) -> None:
    """Show the models of the catalogue, and which are here."""
    catalogue, place = _open(folder)
    shapes = [_shape(model, place) for model in catalogue]
    if as_json:
        print_json({"schema": "feilun.models/1", "folder": str(place.path), "models": shapes})
        return
    table = Table(Column("model", no_wrap=True), "size", "licence", "here", "about")
    for shape in shapes:
        table.add_row(*map(escape, _cells(shape)))
    out.print(table)
    err.print(f"Models lie in {place.path}", style="dim", soft_wrap=True, markup=False)


@models_app.command(epilog="Example: `feilun models pull embedded`")
def pull(
    name: Name,
    file: Annotated[
        Path | None, typer.Option("--file", help="Take its bytes from this file instead.")
    ] = None,
    folder: Place = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a model: resumed where it stopped, hashed on the way. Ctrl-C keeps what came."""
    from feilun.models.catalogue import Local
    from feilun.models.fetch import fetch

    catalogue, place = _open(folder)
    model = catalogue.get(name)
    only = (Local(path=file),) if file else None
    with byte_bar(model.name, quiet=as_json) as progress:
        fetch(
            model,
            place,
            catalogue.endpoints,
            sources=only,
            progress=progress,
            tell=lambda words: err.print(words, soft_wrap=True, highlight=False, markup=False),
        )
    shape = _shape(model, place)
    say(as_json, {"schema": "feilun.model/1", **shape}, f"{model.name} is in {shape['path']}")


@models_app.command(epilog="Example: `feilun models verify embedded`")
def verify(
    name: Annotated[str | None, typer.Argument(help="A model; else all that are here.")] = None,
    folder: Place = None,
    as_json: AsJson = False,
) -> None:
    """Hash models again. Exit code 1 if one is not what it was; its file is quarantined then."""
    from feilun.models.fetch import verify as hash_again

    catalogue, place = _open(folder)
    chosen = (
        [catalogue.get(name)] if name else [each for each in catalogue if place.file(each).exists()]
    )
    found = []
    for model in chosen:
        with byte_bar(model.name, quiet=as_json) as progress:
            found.append({"name": model.name, "problem": hash_again(model, place, progress)})
    failed = [each for each in found if each["problem"]]
    if as_json:
        print_json({"schema": "feilun.models_verify/1", "models": found})
    else:
        for each in failed:
            words = escape(f"{each['name']}: {each['problem']}")
            out.print(f"[red]differs[/] {words}", soft_wrap=True, highlight=False)
        out.print(f"{len(found) - len(failed)} of {len(found)} models are what they were.")
    raise typer.Exit(NO if failed else DONE)


@models_app.command(epilog="Example: `feilun models remove smollm2`")
def remove(name: Name, folder: Place = None, as_json: AsJson = False) -> None:
    """Remove a model's file, and an entry that you had added. Another name may need the file."""
    from feilun.models.own import forget_own

    catalogue, place = _open(folder)
    model = catalogue.get(name)
    forgotten = forget_own(place.path, model.name)
    # A file that another name leads to stays.
    shared = forgotten and any(other.sha256 == model.sha256 for other in _open(folder)[0])
    freed = 0 if shared else place.remove(model)
    shape = {"name": model.name, "freed": freed, "forgotten": forgotten}
    words = f"Removed {model.name}: {_size(freed)} are free again."
    say(as_json, {"schema": "feilun.model_removed/1", **shape}, escape(words))


@models_app.command(
    epilog="Example: `feilun models add qwen3-4b --sha256 HEX --url https://files.example/q.gguf` "
    "or `feilun models add mine --file ./mine.gguf`"
)
def add(
    name: Annotated[str, typer.Argument(help="What you call the model.")],
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Of the file; of --file it is computed.")
    ] = None,
    url: Annotated[list[str] | None, typer.Option(help="Where it is; may be repeated.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A GGUF file here.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence, as in Apache-2.0.")] = None,
    context: Annotated[int | None, typer.Option(help="Tokens that it was trained for.")] = None,
    folder: Place = None,
    as_json: AsJson = False,
) -> None:
    """Add a model of your own to the catalogue. `feilun models pull` fetches it then."""
    from feilun.models.own import add_own

    _, place = _open(folder)
    model = _entry(name, sha256, url or [], file, licence=licence, context=context)
    add_own(place.path, model)
    words = f"Added {model.name}. Fetch it: feilun models pull {model.name}"
    say(as_json, {"schema": "feilun.model/1", **_shape(model, place)}, escape(words))


def _open(folder: Path | None) -> "tuple[Catalogue, Folder]":
    from feilun.models.catalogue import models_folder, read_catalogue
    from feilun.models.folder import Folder

    place = Folder(folder or models_folder())
    return read_catalogue(place.path), place


def _entry(
    name: str, sha256: str | None, urls: list[str], file: Path | None, **told: str | int | None
) -> "Model":
    """What a person has said of a model, checked."""
    from pydantic import ValidationError

    from feilun.models.catalogue import Local, Mirror, Model

    if not urls and not file:
        raise InputError("Say where the model is: --url URL or --file PATH.")
    size = None
    if file:
        found, size = _measure(file)
        if sha256 and sha256.lower() != found:
            raise InputError(f"{file} has the sha256 {found}, not the one that you gave.")
        sha256 = found
    if not sha256:
        raise InputError(
            "Give --sha256: a hub shows it beside the file. It is how a model is known."
        )
    try:
        sources: list[Source] = [Mirror(url=url) for url in urls]
        sources += [Local(path=file.resolve())] if file else []
        return Model.model_validate(
            {"name": name, "sha256": sha256.lower(), "size": size, "sources": sources, **told}
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: {first['msg']}.") from error


def _measure(file: Path) -> tuple[str, int]:
    """The sha256 and the size of a model's file. Raises InputError where it is none."""
    from feilun.models.folder import sha256_of
    from feilun.models.gguf import read_shape

    try:
        read_shape(file)
        with byte_bar(file.name, quiet=not err.is_terminal) as progress:
            return sha256_of(file, progress), file.stat().st_size
    except (OSError, EngineError) as error:
        raise InputError(f"{file} cannot be added: {error}") from error


def _shape(model: "Model", place: "Folder") -> dict[str, Json]:
    """A model as JSON shows it."""
    from feilun.models.fetch import label

    whole = place.whole(model)
    return {
        "name": model.name,
        "also": list(model.also),
        "about": model.about,
        "sha256": model.sha256,
        "size": model.size,
        "licence": model.licence,
        "context": model.context,
        "template": model.template,
        "here": whole is not None,
        "arrived": place.arrived(model),
        "path": str(whole) if whole else None,
        "quarantined": place.quarantined(model).exists(),
        "sources": [label(source) for source in model.sources],
    }


def _cells(shape: dict[str, Json]) -> tuple[str, ...]:
    here = "yes" if shape["here"] else "no"
    if not shape["here"] and shape["arrived"]:
        here = f"{_size(shape['arrived'])} of it"
    if shape["quarantined"]:
        here += ", wrong bytes in quarantine"
    names = ", ".join([shape["name"], *shape["also"]])
    size = _size(shape["size"]) if shape["size"] else "unknown"
    return names, size, shape["licence"] or "unknown", here, shape["about"]


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
