"""Connections to pods, services and nodes: exec, attach, port-forward, proxy.

`pods.py` and `proxy/` find out what is meant and answer a `Connector`, which serves the client's connection: by
WebSocket channels (`channels.py`), by SPDY (`spdy/`), by SPDY in a WebSocket (`tunnel.py`), or by HTTP. The other side
is the node agent's gRPC service, or the pod itself.
"""
