"""`feilun` without what its gateway does each second, whether it is asked something or not.

    python benchmarks/gateway/still.py up --store ...

Under valgrind a call takes thirty times as long, and so much more of this would be counted.
"""

from feilun.cli import main
from feilun.gateway import app

_NEVER = 1e9

assert app._REFRESH_SECONDS  # or it has another name now, and this changes nothing
app._REFRESH_SECONDS = _NEVER
main()
