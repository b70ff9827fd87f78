"""Validation with the field paths, error types and messages of Kubernetes."""
