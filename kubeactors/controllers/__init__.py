"""The controllers: each makes the cluster's objects of one kind as their specs ask.

A controller is a reconcile function over listers (`controller`), its decisions pure functions in modules of their own.
`manager` runs them all on one leader. To add one, see CONTRIBUTING.md.
"""
