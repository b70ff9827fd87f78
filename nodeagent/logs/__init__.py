"""Container logs: their format, reading with follow, rotation."""
