"""A request becomes a call: the student where it is certified to be sure, else the teacher."""

from feilun.answer.cascade import Answerer, Asked, Begun, Serving

__all__ = ["Answerer", "Asked", "Begun", "Serving"]
