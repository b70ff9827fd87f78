"""Volumes, one type a file."""
