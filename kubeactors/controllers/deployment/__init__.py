"""Deployments: one ReplicaSet a revision, moved from one to the next without losing service.

`controller` reads listers and writes; `replica_sets` finds the new and the old sets, `scaling` decides their sizes,
`status` the conditions. The last three are pure.
"""
