"""Audits: calls drawn at random, judged, and what they say of the risk."""

from feilun.watch.audits import Risk, drawn, judged, risk

__all__ = ["Risk", "drawn", "judged", "risk"]
