"""The Node object: registration, status, heartbeat."""
