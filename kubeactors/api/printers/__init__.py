"""Cells of Table rows that take more than a line; the words are kubectl's users' own."""
