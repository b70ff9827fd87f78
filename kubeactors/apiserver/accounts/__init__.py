"""Service accounts: their tokens, the keys that sign them, and what a token stands for."""
