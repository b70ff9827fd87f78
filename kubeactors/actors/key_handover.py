"""What one master gives another so that it can be one: the shared keys and the cluster's state, sealed to it alone."""

from __future__ import annotations

import base64
import json

from kubeactors.actors.paths import Paths
from kubeactors.actors.state import ClusterState, StateFile
from kubeactors.pki.cluster import ClusterPki
from kubeactors.pki.sealed import Recipient, SealedError, seal


def pack(paths: Paths, state: ClusterState, public_key: bytes, address: str) -> bytes:
    """For the master at `address`, that made `public_key` for this. Raises OSError, ValueError."""
    files = {name: base64.b64encode(data).decode() for name, data in ClusterPki(paths.pki).shared().items()}
    text = json.dumps({"files": files, "state": state.to_json()}).encode()
    return seal(public_key, text, _context(address))


def unpack(paths: Paths, message: bytes, recipient: Recipient, address: str) -> None:
    """Write what `pack` packed. Raises SealedError, ValueError, OSError."""
    document = json.loads(recipient.open(message, _context(address)))
    # The state first: once the keys are here, the components begin, and must know who the others are.
    StateFile(paths.state).take(ClusterState.from_json(document["state"]))
    ClusterPki(paths.pki).take_shared({name: base64.b64decode(data) for name, data in document["files"].items()})


def _context(address: str) -> bytes:
    return f"the keys of a kubeactors cluster, for its master at {address}".encode()


__all__ = ["Recipient", "SealedError", "pack", "unpack"]
