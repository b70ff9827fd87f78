"""One worker per pod: what a pod needs next (pure), and who does it."""
