"""What Kubernetes 1.36 did on this kind of machine: one API server, etcd 3.6, TLS, JSON, a load generator in Go.

Taken with pods of 2.1 KB that nothing scheduled, on two cores. See docs/performance.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """Rate is requests a second; p50 and p99 milliseconds; CPU milliseconds of API server and etcd for each request.
    0: was not taken."""

    rate: float = 0
    p50: float = 0
    p99: float = 0
    cpu: float = 0


CALLS = {
    ("create", 1): Figure(414, 2.2, 8, 1.4),
    ("create", 16): Figure(1022, 13.6, 40, 1.4),
    ("create", 64): Figure(1160, 50, 131, 1.4),
    ("get", 1): Figure(953, 1.0, 2.5, 0.38),
    ("get", 16): Figure(3079, 4.4, 19, 0.38),
    ("get", 64): Figure(3761, 13.8, 58, 0.38),
    ("patch", 16): Figure(719, 20, 61, 1.9),
    ("delete", 16): Figure(604, 24, 60),
}
#: (form, pods) → p50
LISTS = {
    ("JSON", 1000): Figure(p50=27),
    ("JSON", 10_000): Figure(p50=285),
    ("Table", 1000): Figure(p50=17),
    ("Table", 10_000): Figure(p50=153),
}
#: One writer without a pause and 100 watchers: writes a second, and from the write to the receipt.
FAN_OUT = {100: Figure(360, 3.1, 5.9)}
#: Resident memory in MiB with 23,000 pods seen, and seconds from start to ready.
MEMORY_MIB = 1434
READY_SECONDS = 2.5


def ratio(ours: float, theirs: float) -> str:
    """`0.52x`, or a dash where the peer has no figure."""
    return f"{ours / theirs:.2f}x" if theirs else "-"
