"""One loopback address that leads to a healthy API server, on every machine."""
