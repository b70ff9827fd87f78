"""Names that only the server knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from kubeactors import UnknownKindError
from kubeactors.client.calls import ListCall, ListReply
from kubeactors.client.discovery import Discovery, ServedResource, from_definition, from_documents
from kubeactors.client.resource import Resource

WIDGETS = Resource("example.com", "v2", "widgets", "Widget", True)
DOCUMENT: dict[str, Any] = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "example.com"},
            "versions": [
                {
                    "version": version,
                    "resources": [
                        {
                            "resource": "widgets",
                            "responseKind": {"group": "example.com", "version": version, "kind": "Widget"},
                            "scope": "Namespaced",
                            "singularResource": "widget",
                            "shortNames": ["wg"],
                            "verbs": ["get", "list"],
                            "subresources": [{"subresource": "status"}],
                        }
                    ],
                }
                for version in ("v2", "v1")
            ],
        }
    ],
}
DEFINITION: dict[str, Any] = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True},
            {"name": "v2", "served": True, "storage": True, "subresources": {"status": {}}},
            {"name": "v0", "served": False},
        ],
    },
    "status": {
        "acceptedNames": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wg"]},
        "conditions": [{"type": "Established", "status": "True"}],
    },
}


class Server:
    """Counts what it is asked."""

    def __init__(self, document: dict[str, Any] | None = None, *definitions: dict[str, Any]) -> None:
        self.answer, self.definitions, self.asked = document, definitions, 0

    async def document(self, path: str, accept: str) -> Any:
        self.asked += 1
        return self.answer

    async def discover(self) -> Sequence[ServedResource] | None:
        return await from_documents(self.document)

    async def nothing(self) -> None:
        """An older server."""

    async def call(self, call: ListCall) -> ListReply:
        assert call.target.resource.plural == "customresourcedefinitions"
        self.asked += 1
        return ListReply(tuple(orjson.dumps(each) for each in self.definitions), "1")


def by_documents(server: Server) -> Discovery:
    return Discovery(server.discover, server.call)


def by_definitions(server: Server) -> Discovery:
    return Discovery(server.nothing, server.call)


@pytest.mark.parametrize("discovery", [by_documents(Server(DOCUMENT)), by_definitions(Server(None, DEFINITION))])
async def test_every_name_of_a_custom_resource(discovery: Discovery) -> None:
    for name in ("widgets", "widget", "Widget", "wg", "widgets.example.com", "widget.v2.example.com"):
        assert await discovery.find(name) == WIDGETS, name
    assert (await discovery.find("widgets.v1.example.com")).version == "v1"
    assert (await discovery.find_kind("example.com/v1", "Widget")).api_version == "example.com/v1"
    with pytest.raises(UnknownKindError, match="this server has no resource 'gadgets'"):
        await discovery.find("gadgets")
    with pytest.raises(UnknownKindError, match="no resource for Gadget of example"):
        await discovery.find_kind("example.com/v1", "Gadget")


async def test_the_server_is_asked_only_for_what_is_not_known() -> None:
    server = Server(None, DEFINITION)
    discovery = by_definitions(server)
    assert (await discovery.find("po")).plural == "pods" and (await discovery.find_kind("v1", "Pod")).plural == "pods"
    assert server.asked == 0
    await discovery.find("wg")
    await discovery.find("widgets")
    assert server.asked == 1
    for _ in range(2):
        with pytest.raises(UnknownKindError):
            await discovery.find("gadgets")
    assert server.asked == 3, "a definition may have come since"


async def test_servers_without_aggregated_discovery() -> None:
    for answer in (None, {"kind": "APIGroupList"}):
        assert await by_documents(Server(answer, DEFINITION)).find("wg") == WIDGETS


async def test_everything_that_is_served() -> None:
    [first, second] = [each for each in await by_documents(Server(DOCUMENT)).served()][:2]
    assert first.resource == WIDGETS and second.resource.version == "v1"
    assert (first.verbs, first.subresources) == ({"get", "list"}, ("status",))
    everything = {each.resource.qualified_name for each in await by_definitions(Server(None, DEFINITION)).served()}
    assert {"pods", "deployments.apps", "widgets.example.com"} <= everything


def test_definitions_that_do_not_serve_yet() -> None:
    assert len([*from_definition(DEFINITION)]) == 2
    assert not [*from_definition({**DEFINITION, "status": {}})]
