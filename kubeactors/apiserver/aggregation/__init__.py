"""The aggregation layer: group versions that another API server answers for, as APIServices say.

`aggregator.py` knows them and has a `follower.py` look after each: whether it is available (`availability.py` judges by
what there is, then its server is asked) and what it serves (`remote_discovery.py`, `remote_openapi.py`).
`forwarding.py` passes requests on, and `trust.py` tells extension API servers whom to believe.
"""
