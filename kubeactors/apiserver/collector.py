"""Python's garbage collector, set for a server that holds much and makes many short-lived objects.

With the defaults it looks at every new object some dozen times a request, and now and then at all that is cached.
What is made here has hardly any cycles: reference counts free it.
"""

from __future__ import annotations

import gc

_THRESHOLDS = (50_000, 20, 50)


def settle() -> None:
    """Call once the server serves: what is loaded stays, and need not be looked at again."""
    gc.set_threshold(*_THRESHOLDS)
    gc.collect()
    gc.freeze()
