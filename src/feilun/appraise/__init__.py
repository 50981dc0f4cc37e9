"""For people who have nothing but a log: which tasks are in it, and may a student serve them?

Stands above the wiring and uses the stages as they are: the certificates here come from
`feilun.certify` and its records. It reads one file and writes nothing.
"""

from feilun.appraise.appraisal import Options, appraise
from feilun.appraise.fields import Choice
from feilun.appraise.render import render
from feilun.appraise.shape import Appraisal, to_json

__all__ = ["Appraisal", "Choice", "Options", "appraise", "render", "to_json"]
