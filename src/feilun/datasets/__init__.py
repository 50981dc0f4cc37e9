"""Calls and judgements become a dataset: who said what is right, split by time."""

from feilun.datasets.build import Built, build, read_examples
from feilun.datasets.judged import deciding_audit

__all__ = ["Built", "build", "deciding_audit", "read_examples"]
