"""Why requests cannot be calls of a task, each with what a person can do about it."""

from collections.abc import Mapping
from enum import StrEnum


class WhyNot(StrEnum):
    """Why a request goes to its model, or a group of requests cannot be adopted."""

    TOOLS = "tools"  # it may call tools
    MEDIA = "media"  # images, audio or files
    TURNS = "turns"  # more than one turn, or an answer that is begun
    SEVERAL = "several"  # several answers, or their log probabilities
    STATE = "state"  # it goes on from something that a server has kept
    TOO_LONG = "too_long"  # a text is longer than a student reads
    NO_TEXT = "no_text"  # nothing is asked, or in a shape that is not known
    NOTHING_FIXED = "nothing_fixed"  # no fixed words find these requests again
    VARIED = "varied"  # the system prompt differs from call to call
    MIXED = "mixed"  # some answers are JSON and some are not
    NO_GENSON = "no_genson"  # the package that makes schemas is not installed


SAYS: Mapping[WhyNot, str] = {
    WhyNot.TOOLS: "The requests offer tools. Ask the one question that repeats without them.",
    WhyNot.MEDIA: "The requests hold images, audio or files, which no student reads.",
    WhyNot.TURNS: "The requests are conversations. A task is one question and its answer.",
    WhyNot.SEVERAL: "The requests ask for several answers or for probabilities: ask for one.",
    WhyNot.STATE: "The requests go on from what a server has kept. Send the whole request.",
    WhyNot.TOO_LONG: "The texts are longer than 32,768 characters, which no student reads.",
    WhyNot.NO_TEXT: "No text of a user was found in these requests.",
    WhyNot.NOTHING_FIXED: "Nothing tells these requests from others: give them a system prompt, "
    "or words that always stand around the input.",
    WhyNot.VARIED: "The system prompt differs from call to call, by more than a date or a name. "
    "Move what varies into the message of the user.",
    WhyNot.MIXED: "Some answers are JSON and some are not. Ask for one form (response_format) "
    "and look again.",
    WhyNot.NO_GENSON: "To see what JSON answers have in common, genson is needed: "
    "install feilun with its extra `gateway`.",
}
