"""Feilun 飞轮: the open compute-model-application flywheel."""
