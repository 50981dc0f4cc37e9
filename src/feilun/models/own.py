"""People's own models: entries that are added to `models.toml` and removed from it.

The file is theirs: comments and order stay, and it is replaced whole or not at all.
"""

import os
import tempfile
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from feilun.errors import InputError
from feilun.models.catalogue import OWN, Model


def add_own(folder: Path, model: Model) -> None:
    """Write a model into `models.toml`. Raises InputError where it has one of that name."""
    path = folder / OWN
    document = _read(path)
    models = document.setdefault("models", tomlkit.aot())
    if any(entry.get("name") == model.name for entry in models):
        raise InputError(
            f"{path} has a model {model.name!r} already. Remove it first: "
            f"`feilun models remove {model.name}`."
        )
    entry = tomlkit.table()
    entry.update(model.model_dump(mode="json", exclude_defaults=True, exclude={"sources"}))
    sources = tomlkit.aot()
    for source in model.sources:
        fields = source.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        sources.append(tomlkit.item({"kind": source.kind, **fields}))
    entry.append("sources", sources)
    models.append(entry)
    _replace(path, tomlkit.dumps(document))


def forget_own(folder: Path, name: str) -> bool:
    """Take a model out of `models.toml`; whether it was there."""
    path = folder / OWN
    document = _read(path)
    models = document.get("models", [])
    kept = [entry for entry in models if entry.get("name") != name]
    if len(kept) == len(models):
        return False
    document["models"] = tomlkit.aot()
    for entry in kept:
        document["models"].append(entry)
    _replace(path, tomlkit.dumps(document))
    return True


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, TOMLKitError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML: {error}.") from error


def _replace(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}).") from error
