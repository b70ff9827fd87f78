"""Multi-version key-value state: pure and in memory; what the log's entries are applied to."""
