"""ConfigMap kube-system/extension-apiserver-authentication: how extension API servers know this cluster's clients.

It tells the authority of clients, that of front proxies, and in which headers those name users. Every API server adds
what it knows to what is there, so that servers with different authorities get along (Kubernetes' cluster authentication
trust controller). https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import KindRegistry
from kubeactors.api.meta import Object
from kubeactors.apiserver.authn.request_header import EXTRA_PREFIX, GROUP, UID, USER
from kubeactors.apiserver.bootstrap import LOOPBACK_USER
from kubeactors.apiserver.request import ApiHandler, Request, Verb
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.apiserver.watchcache.record import Change
from kubeactors.store.errors import StoreError

logger = logging.getLogger(__name__)

NAMESPACE: Final = "kube-system"
NAME: Final = "extension-apiserver-authentication"
_CLIENT_CA: Final = "client-ca-file"
_PROXY_CA: Final = "requestheader-client-ca-file"
_ALLOWED_NAMES: Final = "requestheader-allowed-names"
_EXPIRY_SLACK: Final = timedelta(minutes=5)
_RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Trust:
    """PEM certificates of both authorities, and the common names of front proxies. `proxy_ca` empty: there are none."""

    client_ca: bytes
    proxy_ca: bytes = b""
    allowed_names: Sequence[str] = ()


def combined(data: Mapping[str, str], trust: Trust, now: datetime) -> dict[str, str]:
    """The ConfigMap's data with this server's part in it. Pure. Raises ValueError for data that cannot be read."""
    found = {_CLIENT_CA: _certificates(data.get(_CLIENT_CA, ""), trust.client_ca, now)}
    if trust.proxy_ca or data.get(_PROXY_CA):
        headers = {
            "requestheader-username-headers": [USER],
            "requestheader-uid-headers": [UID],
            "requestheader-group-headers": [GROUP],
            "requestheader-extra-headers-prefix": [EXTRA_PREFIX],
            _ALLOWED_NAMES: list(trust.allowed_names),
        }
        mine = bool(trust.proxy_ca)
        found |= {key: _names(data.get(key, ""), names if mine else []) for key, names in headers.items()}
        found[_PROXY_CA] = _certificates(data.get(_PROXY_CA, ""), trust.proxy_ca, now)
    return found


def _names(before: str, more: Sequence[str]) -> str:
    listed = orjson.loads(before) if before else []
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ValueError("not a list of names")
    return orjson.dumps(list(dict.fromkeys([*listed, *more]))).decode()


def _certificates(before: str, more: bytes, now: datetime) -> str:
    """Those of both that have not expired, each once."""
    texts = (before.encode(), more)
    parsed = [each for text in texts if text.strip() for each in x509.load_pem_x509_certificates(text)]
    valid = [each for each in parsed if each.not_valid_after_utc > now - _EXPIRY_SLACK]
    return b"".join(dict.fromkeys(each.public_bytes(Encoding.PEM) for each in valid)).decode()


class ClusterTrust:
    """Keeps the ConfigMap, also when somebody changes or deletes it."""

    def __init__(
        self,
        trust: Trust,
        handler: ApiHandler,
        registry: KindRegistry,
        config_maps: ResourceCache,
        now: Callable[[], datetime],
    ) -> None:
        self._trust = trust
        self._handler = handler
        self._registry = registry
        self._now = now
        self._cache = config_maps
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write it, once the namespace exists. Raises StatusError."""
        await self.write()
        self._cache.listeners.append(self._noted)
        self._task = asyncio.create_task(self._run(), name="cluster-trust")

    async def stop(self) -> None:
        if self._task is not None:
            self._cache.listeners.remove(self._noted)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _noted(self, change: Change) -> None:
        if change.subject.name == NAME and change.subject.namespace == NAMESPACE:
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.write()
            except (StatusError, StoreError) as error:
                logger.warning("ConfigMap %s/%s: %s; trying again", NAMESPACE, NAME, error)
            except Exception:
                logger.exception("ConfigMap %s/%s; trying again", NAMESPACE, NAME)
            else:
                continue
            await asyncio.sleep(_RETRY_SECONDS)
            self._wake.set()

    async def write(self) -> None:
        """Make the ConfigMap say what it has to. Raises StatusError."""
        found = await self._existing()
        before: Mapping[str, str] = (found or {}).get("data") or {}
        try:
            data = combined(before, self._trust, self._now())
        except ValueError as error:
            logger.warning("ConfigMap %s/%s is written anew: %s", NAMESPACE, NAME, error)
            data = combined({}, self._trust, self._now())
        if found is not None and data == before:
            return
        wanted = found or {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
        }
        await self._call("create" if found is None else "update", {**wanted, "data": data})

    async def _existing(self) -> Object | None:
        try:
            found: Object = orjson.loads(await self._call("get", None))
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            return None
        return found

    async def _call(self, verb: Verb, document: Object | None) -> bytes:
        kind = self._registry.by_gvk("v1", "ConfigMap")
        assert kind is not None
        request = Request(
            verb=verb,
            kind=kind,
            user=LOOPBACK_USER,
            namespace=NAMESPACE,
            name="" if verb == "create" else NAME,
            body=b"" if document is None else orjson.dumps(document),
            user_agent="kube-apiserver",
        )
        return (await self._handler.handle(request)).body
