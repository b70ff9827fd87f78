"""Watches: the history of the key space as streams."""
