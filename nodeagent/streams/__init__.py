"""Streams into pods that the agent serves to the API server: exec, attach, port-forward."""
