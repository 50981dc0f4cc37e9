"""Raw traffic shows which tasks are in it; what people adopt is matched from then on.

A raw call is a request that named a model and its answer. `propose` groups those of the past,
people adopt a group as a task, and `Matcher` finds its later requests. What groups need is
also what `feilun.appraise` needs to find tasks in a log.
"""

from feilun.discovery.adopt import (
    adoption,
    calls_of_the_past,
    content_read,
    in_force,
    is_copy,
    pick,
)
from feilun.discovery.match import Matched, Matcher
from feilun.discovery.proposal import Proposal
from feilun.discovery.proposals import propose
from feilun.discovery.why_not import SAYS, WhyNot
from feilun.discovery.wording import read, render

__all__ = [
    "SAYS",
    "Matched",
    "Matcher",
    "Proposal",
    "WhyNot",
    "adoption",
    "calls_of_the_past",
    "content_read",
    "in_force",
    "is_copy",
    "pick",
    "propose",
    "read",
    "render",
]
