"""The tree of errors, each named after the border it crossed.

    FeilunError
    ├── TaskError        a declaration, an input or an output breaks its contract
    ├── InputError       a file or an option that a person gave cannot be used
    ├── StoreError       the log or a blob
    │   ├── NotFound     no such record or blob
    │   ├── Conflict     an id was used for two different records
    │   ├── Unstorable   a record has no form that could be read back
    │   └── Damaged      stored bytes are not what was written
    ├── EngineError      a model did not answer
    │   ├── Unreachable  nothing was sent: asking again, here or elsewhere, is safe
    │   ├── TimedOut     it was asked, and was silent for too long
    │   ├── BrokenReply  it began to answer, and what came is no whole answer
    │   └── Refused      it answered with an error of its own
    ├── AccessError      a request has no key that allows it, or the key has used up its limits
    ├── TrainerError     a student could not be trained or loaded
    │   └── Unreadable   an artefact is not what its trainer wrote
    └── ReleaseError     a move of the pointer that nothing entitles to

To add one: name it after a border, let its message say what was wrong and what to
do next, and raise it where the border is crossed. Catch only what you can improve.
A failed call, example or row is recorded once, and its neighbours carry on.
"""


class FeilunError(Exception):
    """Base of all errors a user can meet. The message names the next step."""


class TaskError(FeilunError):
    """A task's declaration, input or output breaks its contract."""


class InputError(FeilunError):
    """A file or an option that a person gave cannot be used as it is."""


class StoreError(FeilunError):
    """The log or a blob could not be read or written."""


class NotFound(StoreError):
    """No such record or blob is in the store."""


class Conflict(StoreError):
    """An id was appended twice with different content; the first one stands."""


class Unstorable(StoreError):
    """A record has no JSON form that could be read back. The store itself is well."""


class Damaged(StoreError):
    """Stored bytes are not what was written. Nothing was changed by noticing."""


class EngineError(FeilunError):
    """A model did not answer."""


class Unreachable(EngineError):
    """Nothing reached the model, so it is safe to ask again, here or elsewhere."""


class TimedOut(EngineError):
    """A model was asked, and was silent for longer than it may be."""


class BrokenReply(EngineError):
    """A model began to answer, and what came is no whole answer."""


class Refused(EngineError):
    """A model's server answered with an error: its status, and when to come back if it said."""

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after  # seconds


class AccessError(FeilunError):
    """A request has no key that allows it, or its key has used up a limit.

    `status` and `code` are what HTTP clients know it by: 401 no valid key, 403 not with this
    key, 429 not now. `retry_after` is in seconds, where waiting helps.
    """

    def __init__(
        self,
        message: str,
        status: int = 401,
        code: str = "invalid_api_key",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class TrainerError(FeilunError):
    """A student could not be trained or loaded."""


class Unreadable(TrainerError):
    """An artefact is not what its trainer wrote."""


class ReleaseError(FeilunError):
    """A move of the pointer that no certificate and no person entitles to."""
