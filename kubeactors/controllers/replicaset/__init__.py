"""ReplicaSets and ReplicationControllers: keep so many pods of one template.

`controller` reads and writes; `ranking` and `status` decide.
"""
