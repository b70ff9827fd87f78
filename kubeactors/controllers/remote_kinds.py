"""The kinds that other API servers serve (APIServices with a Service), asked for when somebody needs them.

Kubernetes' controllers learn of them by discovery, where a server that does not answer makes its group version stale:
then nobody can tell what is in a namespace, and it must not go.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubeactors.api import meta
from kubeactors.api.meta import Object
from kubeactors.client import AsyncClient
from kubeactors.client.informer_factory import InformerFactory
from kubeactors.controllers.served_kinds import ServedKind

API_SERVICES = "apiservices"


class RemoteKinds:
    """Ask for one before the informers are started."""

    def __init__(self, informers: InformerFactory, client: AsyncClient) -> None:
        self._informer = informers.informer(API_SERVICES)
        self._client = client

    async def find(self) -> tuple[list[ServedKind], list[str]]:
        """The kinds of the servers that answer, each in one version, and the group versions of those that do not.

        Raises StatusError, ConnectionLost.
        """
        available, stale = split(self._informer.lister.list())
        if not available:
            return [], stale
        found: dict[tuple[str, str], ServedKind] = {}
        for each in await self._client.resources():
            resource = each.resource
            if resource.api_version in available:
                found.setdefault((resource.group, resource.plural), ServedKind(resource, each.verbs))
        return list(found.values()), stale


def split(api_services: Iterable[Object]) -> tuple[set[str], list[str]]:
    """The group versions of other API servers: those that are available, and the others. Pure."""
    available: set[str] = set()
    stale: list[str] = []
    for each in api_services:
        spec = each["spec"]
        if spec.get("service") is None:
            continue
        version = f"{spec.get('group') or ''}/{spec.get('version') or ''}"
        if meta.is_condition_true(each, "Available"):
            available.add(version)
        else:
            stale.append(version)
    return available, sorted(stale)
