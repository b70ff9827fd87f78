"""What ends a command: a message for the person at the keyboard."""

from __future__ import annotations


class CommandError(Exception):
    """Says what failed, why, and what to do. Printed without a traceback; the exit status is 1."""
