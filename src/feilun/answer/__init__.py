"""A request becomes a call: the student where it is certified to be sure, else the teacher."""

from feilun.answer.begun import Asked, Begun, Serving
from feilun.answer.cascade import Answerer

__all__ = ["Answerer", "Asked", "Begun", "Serving"]
