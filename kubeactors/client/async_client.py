"""`AsyncClient`: the Kubernetes verbs on plain dictionaries, over any transport."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Final, Self

from kubeactors.client import retry
from kubeactors.client.async_commands import AsyncCommands
from kubeactors.client.async_tasks import AsyncTasks
from kubeactors.client.discovery import Discovery
from kubeactors.client.kubeconfig import ClientConfig, in_cluster_config, load_kubeconfig
from kubeactors.client.tls import TlsConfig
from kubeactors.client.transport import Transport
from kubeactors.client.transports import open_transport

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT = 30.0
USER_AGENT = "kubeactors"


class AsyncClient(AsyncTasks, AsyncCommands):
    """Calls a Kubernetes API server.

    `endpoints` are tried in turn when one fails: `host:port` or `grpc://host:port` speaks gRPC, `https://host:port`
    (or `http://`) speaks REST. `tls` None means plaintext. `timeout` is every call's deadline in seconds.

    `resource` is a name as kubectl takes it ("pods", "po", "Pod", "deployments.apps", "deployments.v1.apps") or a
    `Resource`. Where a namespaced object is named without a namespace, `default_namespace` is meant; `list` and
    `watch` without one span all namespaces. Objects are plain dictionaries, as decoded from JSON. `field_manager` is
    who managedFields name for this client's writes; the user agent up to a slash when it is not given. `on_warning`
    gets every warning of the server (deprecated fields, unknown ones, …); without it each is logged once.

    Errors: `kubeactors.StatusError` for every answer that is not a success, as the subclass of its reason (`NotFound`,
    `Conflict`, …); its subclasses `ApiUnavailable` (nothing happened) and `OutcomeUnknown` (a write was sent, no answer
    came). `UnknownKindError` for a resource that neither this library nor the server knows. While the API server
    restarts, reads are repeated until the deadline; writes only when the server surely has not seen them.
    """

    def __init__(
        self,
        endpoints: Sequence[str] = (),
        tls: TlsConfig | None = None,
        *,
        user_agent: str = USER_AGENT,
        timeout: float = DEFAULT_TIMEOUT,
        default_namespace: str = "default",
        field_manager: str = "",
        on_warning: Callable[[str], None] | None = None,
        config: ClientConfig | None = None,
        transport: Transport | None = None,
    ) -> None:
        if config is None:
            config = ClientConfig(endpoints=tuple(endpoints), tls=tls, namespace=default_namespace)
        self.default_namespace = config.namespace or "default"
        self.timeout = timeout
        self._field_manager = field_manager or user_agent.partition("/")[0]
        self._on_warning = on_warning or WarningLog()
        opened = self._transport = transport if transport is not None else open_transport(config, user_agent)
        self._discovery = Discovery(
            lambda: retry.until(self.timeout, opened.discover, read=True),
            lambda call: retry.call(opened, call, self.timeout),
        )

    @classmethod
    def from_kubeconfig(
        cls, path: str | PathLike[str] | None = None, context: str | None = None, **options: Any
    ) -> Self:
        """A client as kubectl would connect: `path`, else $KUBECONFIG, else ~/.kube/config, else in-cluster.

        `options` are the constructor's keywords. Raises `KubeconfigError` saying what is missing.
        """
        return cls(config=load_kubeconfig(path, context), **options)

    @classmethod
    def in_cluster(cls, **options: Any) -> Self:
        """A client with the service account that Kubernetes mounts into a pod. Raises `KubeconfigError` outside one."""
        return cls(config=in_cluster_config(), **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends open calls and watches and closes the connections."""
        await self._transport.close()


class WarningLog:
    """Logs what a server warns of, each text once: a program that repeats a call would fill its log with one."""

    KEPT: Final = 1000

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, text: str) -> None:
        if text in self._seen:
            return
        if len(self._seen) >= self.KEPT:
            self._seen.clear()
        self._seen.add(text)
        logger.warning("the API server warns: %s", text)
