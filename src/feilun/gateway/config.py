"""`feilun.toml`: the servers, aliases, tasks and limits of a gateway. All of it may be missing."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from feilun.errors import InputError
from feilun.models.wire import Dialect, Timeouts
from feilun.records import Money

Capture = Literal["durable", "async", "off"]
Kept = Literal["whole", "hashed", "redacted"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerConfig(_Part):
    """One model server: `[engines.NAME]`. Its key comes from the environment or from a file.

    `models` may be empty: then the server is asked which it has.
    """

    url: Annotated[str, Field(pattern=r"^https?://")]
    dialect: Dialect = "openai"
    key_env: str | None = None
    key_file: Path | None = None
    models: tuple[str, ...] = ()
    responses: bool = False  # whether it speaks /v1/responses itself
    concurrency: Annotated[int, Field(gt=0)] = 256
    retries: Annotated[int, Field(ge=0, le=5)] = 2
    hedge_seconds: Annotated[float | None, Field(gt=0)] = None  # of silence; None: no hedging
    timeouts: Timeouts = Timeouts()

    def secret(self) -> SecretStr | None:
        """The key, read now. Raises InputError, without its content, where it is not there."""
        if self.key_env:
            value = os.environ.get(self.key_env)
            if not value:
                raise InputError(
                    f"{self.url}: the environment has no {self.key_env}. Export it and start again."
                )
            return SecretStr(value)
        if self.key_file:
            try:
                return SecretStr(self.key_file.read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(
                    f"{self.url}: its key file {self.key_file} cannot be read."
                ) from error
        return None


class EmbeddedConfig(_Part):
    """The embedded engine: `[embedded]`."""

    enabled: bool = True
    model: str = "embedded"  # a name of the catalogue
    idle_seconds: Annotated[float, Field(gt=0)] = 900.0
    context: Annotated[int, Field(ge=512)] = 4096
    threads: Annotated[int | None, Field(gt=0)] = None  # None: idle cores


class TaskConfig(_Part):
    """How one task is served: `[tasks."NAME"]`. None takes what stands for all tasks."""

    teacher: str | None = None  # a model or an alias
    capture: Capture | None = None
    prompts: Kept | None = None
    audit_rate: Annotated[float | None, Field(ge=0, le=1)] = None


class CaptureConfig(_Part):
    """What is kept of calls, and what happens when it cannot be: `[capture]`.

    `when_away` acts when the store is away, the disk is full or the queue is: `refuse`
    answers 503, `answer` answers and counts what was not kept.
    """

    mode: Capture = "durable"
    prompts: Kept = "whole"
    when_away: Literal["refuse", "answer"] = "refuse"
    queue_bytes: Annotated[int, Field(ge=1 << 20)] = 64 << 20


class AuditsConfig(_Part):
    """Who makes audits, and how many: `[audits]`.

    `per_day` bounds how often the calls of students are drawn, and what the teacher is asked:
    a number of audits, or an amount of money. Asked while nobody waits (`idle`), it spends
    money by itself, so it needs the bound.
    """

    teacher: Literal["off", "idle"] = "off"
    per_day: Annotated[int, Field(gt=0)] | Money | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.teacher == "idle" and self.per_day is None:
            raise ValueError('teacher = "idle" spends money: say how much at most, as per_day = 50')
        if isinstance(self.per_day, Money) and self.per_day.amount <= 0:
            raise ValueError("per_day must be above zero")
        return self


class LimitsConfig(_Part):
    """What one process takes at most: `[limits]`."""

    body_bytes: Annotated[int, Field(gt=0)] = 10 << 20
    concurrency: Annotated[int, Field(gt=0)] = 10_000
    drain_seconds: Annotated[float, Field(ge=0)] = 30.0


class Config(_Part):
    """A whole `feilun.toml`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8321
    teacher: str = "embedded"  # who answers a task that names no other: a model or an alias
    audit_rate: Annotated[float, Field(ge=0, le=1)] = 0.1
    engines: dict[str, ServerConfig] = {}
    aliases: dict[str, tuple[str, ...]] = {}  # a name, and models to try in this order
    tasks: dict[str, TaskConfig] = {}
    embedded: EmbeddedConfig = EmbeddedConfig()
    capture: CaptureConfig = CaptureConfig()
    audits: AuditsConfig = AuditsConfig()
    limits: LimitsConfig = LimitsConfig()


def read_config(path: Path) -> Config:
    """Read a `feilun.toml`; one that is not there is empty. Raises InputError with the place."""
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not TOML in UTF-8: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}.") from error
