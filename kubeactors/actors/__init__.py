"""The cluster as Ray actors: thin shells that start, place, restart and watch the components.

This is the only package that imports ray. Components know nothing of it.
"""
