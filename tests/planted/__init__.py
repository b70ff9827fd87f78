"""Faults planted into the store one at a time, each of which the tests must find."""
