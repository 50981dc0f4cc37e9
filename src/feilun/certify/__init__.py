"""The red line: audits that nobody has looked at decide whether a candidate may serve."""

from feilun.certify.judge import judge, next_attempt
from feilun.certify.ltt import budget, enough, fewest, interval, look, plan

__all__ = ["budget", "enough", "fewest", "interval", "judge", "look", "next_attempt", "plan"]
