"""Snapshots: the whole state at one log entry, so that a restart need not replay the log from its beginning."""
