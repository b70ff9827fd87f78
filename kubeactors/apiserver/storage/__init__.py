"""How objects lie in the store: keys, values, and transactions on their modification revision."""
