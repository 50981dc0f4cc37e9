"""Engines: what runs a model. So far one that replays recorded answers."""

from feilun.models.recorded import RecordedEngine

__all__ = ["RecordedEngine"]
