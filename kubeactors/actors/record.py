"""The cluster's state where every machine can read it: the ConfigMap kube-system/kubeactors."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kubeactors.actors.state import ClusterState
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.client.async_client import AsyncClient

logger = logging.getLogger(__name__)

NAMESPACE = "kube-system"
NAME = "kubeactors"
KEY = "state"
CALL_TIMEOUT = 5.0
ATTEMPTS = 5


def state_of(config_map: Object) -> ClusterState:
    """The state in the ConfigMap. Raises ValueError when there is none in it."""
    data = config_map.get("data") or {}
    return ClusterState.from_json(str(data.get(KEY, "")))


class ClusterRecord:
    """Changes the ConfigMap; two that do so at once do not undo each other's change."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def change(self, known: ClusterState, change: Callable[[ClusterState], ClusterState]) -> ClusterState:
        """Apply `change` to the newer of what is recorded and what is known here, record it and return it.

        Raises StatusError when the API server does not take it.
        """
        for attempt in range(ATTEMPTS):
            found = await self._read()
            recorded = _decode(found)
            newest = known
            if recorded is not None and recorded.id == known.id and recorded.generation >= known.generation:
                newest = recorded
            wanted = change(newest)
            if wanted == recorded:
                return wanted
            try:
                await self._write(found, wanted)
            except StatusError as error:
                if error.reason not in ("Conflict", "AlreadyExists") or attempt == ATTEMPTS - 1:
                    raise
            else:
                return wanted
        raise AssertionError("unreachable")

    async def _read(self) -> Object | None:
        try:
            return await self._client.get("configmaps", NAME, NAMESPACE, timeout=CALL_TIMEOUT)
        except StatusError as error:
            if error.code != 404:
                raise
            return None

    async def _write(self, found: Object | None, state: ClusterState) -> None:
        data = {KEY: state.to_json()}
        if found is None:
            metadata = {"name": NAME, "namespace": NAMESPACE}
            await self._client.create("configmaps", {"metadata": metadata, "data": data}, timeout=CALL_TIMEOUT)
        else:
            await self._client.update("configmaps", {**found, "data": {**found.get("data", {}), **data}})


def _decode(found: Object | None) -> ClusterState | None:
    if found is None:
        return None
    try:
        return state_of(found)
    except ValueError as error:
        logger.warning("ConfigMap %s/%s is written anew: %s", NAMESPACE, NAME, error)
        return None
