"""Deterministic simulation of the store: the real consensus, log, snapshot and start-up code on simulated disks,
networks and clocks, all of it decided by one seed."""
