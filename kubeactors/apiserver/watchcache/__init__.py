"""What the store holds, kept in memory: every read and watch is served from here."""
