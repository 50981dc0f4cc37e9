"""A request becomes a call: the student where it is certified to be sure, else the teacher."""

from feilun.answer.cascade import Answerer, Serving

__all__ = ["Answerer", "Serving"]
