"""The disruption controller (KEP-85): tells in each PodDisruptionBudget's status how many pods may be evicted."""
