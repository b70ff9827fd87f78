"""The replicated state machine: what a committed log entry does. Deterministic: equal entries, equal states."""
