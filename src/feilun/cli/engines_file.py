"""Changing the engines of a `feilun.toml`: comments stay, and the file is whole at any moment."""

import os
import tempfile
import tomllib
from pathlib import Path
from typing import cast

import tomlkit
from pydantic import ValidationError
from tomlkit.items import Table

from feilun.errors import InputError
from feilun.gateway.config import Config, ServerConfig, read_config
from feilun.records import Json


def add_engine(path: Path, name: str, settings: dict[str, Json]) -> ServerConfig:
    """Write a new `[engines.NAME]`. Raises InputError where one has the name, or it is none."""
    if name in read_config(path).engines:
        raise InputError(
            f"{path} has an engine {name!r} already. Run `feilun engines remove {name}` first, or "
            "choose another name."
        )
    document = _open(path)
    table = tomlkit.table()
    table.update(settings)
    _engines(document).append(name, table)
    return _save(path, document).engines[name]


def remove_engine(path: Path, name: str) -> ServerConfig:
    """Take an engine out of the file, and its key away where `keep_key` made it."""
    engines = read_config(path).engines
    if name not in engines:
        some = ", ".join(sorted(engines)) or "none"
        raise InputError(f"{path} has no engine {name!r}. Engines: {some}.")
    document = _open(path)
    _engines(document).remove(name)
    _save(path, document)
    kept = key_path(path, name)
    if engines[name].key_file == kept:
        kept.unlink(missing_ok=True)
    return engines[name]


def key_path(path: Path, name: str) -> Path:
    """Where a key is kept that was typed in: beside the configuration."""
    return path.resolve().parent / f"feilun-{name}.key"


def keep_key(path: Path, name: str, key: str) -> Path:
    """Write a key into a file that only its owner can read."""
    target = key_path(path, name)
    _replace(target, key + "\n", 0o600)
    return target


def _open(path: Path) -> tomlkit.TOMLDocument:
    """The file as it is written. `read_config` has read it before, so it can be parsed."""
    return tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()


def _engines(document: tomlkit.TOMLDocument) -> Table:
    if "engines" not in document:
        document.append("engines", tomlkit.table(is_super_table=True))
    # What tomlkit gives has no one type; `read_config` has seen that this is a table.
    return cast(Table, document["engines"])


def _save(path: Path, document: tomlkit.TOMLDocument) -> Config:
    """Write the document in one step, once it is a configuration that can be used."""
    text = tomlkit.dumps(document)
    try:
        config = Config.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        told = error.errors(include_input=False)[0] if isinstance(error, ValidationError) else None
        where = ".".join(str(part) for part in told["loc"]) if told else "the file"
        raise InputError(
            f"{path}: {where}: {told['msg'] if told else 'cannot be changed by this command'}. "
            "Nothing was written."
        ) from error
    real = path.resolve()
    _replace(real, text, real.stat().st_mode & 0o777 if real.exists() else 0o644)
    return config


def _replace(target: Path, text: str, mode: int) -> None:
    """Put a file in the place of another: whoever reads sees the old one or the new one."""
    try:
        handle, made = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror}).") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            Path(made).chmod(mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(target)
    except OSError as error:
        Path(made).unlink(missing_ok=True)
        raise InputError(f"{target}: cannot be written ({error.strerror}).") from error
