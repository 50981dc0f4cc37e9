"""One store with its stages, and all that people and doors do with them."""

from feilun.house.house import House, Turn

__all__ = ["House", "Turn"]
