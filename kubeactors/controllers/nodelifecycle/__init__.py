"""Node lifecycle: notices dead nodes, taints them, and evicts pods that do not tolerate it.

`health` and `taints` and `tolerance` decide, `controller` watches nodes and taints them, `eviction` deletes pods.
"""
