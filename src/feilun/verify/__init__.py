"""Verify: what the log says is derived from the log again, and what disagrees is named.

One file for each thing that is derived; `derive.py` calls them in their order.
"""

from feilun.verify.check import Check
from feilun.verify.derive import verify
from feilun.verify.log import MOST_NAMED, read_head, write_head

__all__ = ["MOST_NAMED", "Check", "read_head", "verify", "write_head"]
