"""The write-ahead log: segments of checksummed records, appended and synced by one thread."""
