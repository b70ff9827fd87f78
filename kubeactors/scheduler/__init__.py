"""The scheduler: which node each pod runs on.

A pipeline over columns (`columns`: one row a node) → filter → score → bind. `shape` is what of a pod decides where it
may go, `placement` runs the `plugins` (interface in `framework`), `queue` holds the pods that wait, `cluster_view`
follows the cluster, `scheduler` puts it together.
"""
