"""One store with its stages, and all that people and doors do with them."""

from feilun.house.house import House, Turn
from feilun.house.trials import Tried

__all__ = ["House", "Tried", "Turn"]
