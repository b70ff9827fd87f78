"""The API server as a client of node agents."""
