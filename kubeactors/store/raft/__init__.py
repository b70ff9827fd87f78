"""Consensus: which entries are committed. No I/O, no clock."""
