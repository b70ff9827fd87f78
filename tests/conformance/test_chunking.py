"""Long lists in pieces, also when the version of the first is no longer known."""

from __future__ import annotations

import json

import pytest
from kubernetes.client import ApiException, CoreV1Api

from kubeactors.store.client import StoreClient, TlsFiles
from tests.conformance.cluster import Cluster
from tests.conformance.registry import behaviour
from tests.conformance.samples import TEMPLATE

COUNT, LIMIT = 40, 7


@pytest.fixture
def templates(core: CoreV1Api, namespace: str) -> str:
    """A namespace with pod templates."""
    for n in range(COUNT):
        core.create_namespaced_pod_template(namespace, {"metadata": {"name": f"template-{n:04}"}, "template": TEMPLATE})
    return namespace


def test_pieces_are_of_one_version(core: CoreV1Api, templates: str) -> None:
    """Should return chunks of results for list calls."""
    page = core.list_namespaced_pod_template(templates, limit=LIMIT)
    version = page.metadata.resource_version
    names = [item.metadata.name for item in page.items]
    core.create_namespaced_pod_template(templates, {"metadata": {"name": "template-0005-late"}, "template": TEMPLATE})
    core.delete_namespaced_pod_template("template-0020", templates)
    while page.metadata._continue:
        assert page.metadata.remaining_item_count == COUNT - len(names)
        assert len(page.items) == LIMIT
        page = core.list_namespaced_pod_template(templates, limit=LIMIT, _continue=page.metadata._continue)
        assert page.metadata.resource_version == version
        names += [item.metadata.name for item in page.items]
    assert names == [f"template-{n:04}" for n in range(COUNT)]
    with pytest.raises(ApiException) as caught:
        core.list_namespaced_pod_template(templates, limit=LIMIT, _continue="nonsense")
    assert caught.value.status == 400


@behaviour(
    "[sig-api-machinery] Servers with support for API chunking should support continue listing from the last key if the original version has been compacted away, though the list is inconsistent [Slow]"
)
def test_a_list_goes_on_after_a_compaction(cluster: Cluster, core: CoreV1Api, templates: str) -> None:
    first = core.list_namespaced_pod_template(templates, limit=LIMIT)
    core.delete_namespaced_pod_template("template-0020", templates)
    cluster.call(_compact(cluster))
    with pytest.raises(ApiException) as caught:
        core.list_namespaced_pod_template(templates, limit=LIMIT, _continue=first.metadata._continue)
    assert (caught.value.status, caught.value.reason) == (410, "Gone")

    status = json.loads(caught.value.body)
    assert status["reason"] == "Expired"
    token = status["metadata"]["continue"]
    names = [item.metadata.name for item in first.items]
    second = page = core.list_namespaced_pod_template(templates, limit=LIMIT, _continue=token)
    assert page.metadata.resource_version != first.metadata.resource_version
    names += [item.metadata.name for item in page.items]
    while page.metadata._continue:
        assert page.metadata.remaining_item_count == COUNT - 1 - len(names)
        page = core.list_namespaced_pod_template(templates, limit=LIMIT, _continue=page.metadata._continue)
        assert page.metadata.resource_version == second.metadata.resource_version
        names += [item.metadata.name for item in page.items]
    assert names == [f"template-{n:04}" for n in range(COUNT) if n != 20]


async def _compact(cluster: Cluster) -> None:
    """What a server does every five minutes."""
    pki = cluster.plane.pki
    files = TlsFiles(
        str(pki.store_ca), str(pki.certificate("apiserver-etcd-client")), str(pki.key("apiserver-etcd-client"))
    )
    store = StoreClient([f"https://127.0.0.1:{cluster.plane.store_port}"], tls=files)
    try:
        await store.compact(await store.revision())
    finally:
        await store.close()
