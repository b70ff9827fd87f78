"""The proxy subresources of pods, services and nodes: HTTP of every method, and upgrades, to what runs in the cluster.

`targets.py` finds the address, `urls.py`, `headers.py` and `html.py` are the rules for what is changed on the way, and
`http.py` and `upgrade.py` pass the bytes on.
"""
