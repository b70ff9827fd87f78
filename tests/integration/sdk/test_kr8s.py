"""kr8s, unmodified, on the same API: objects, waiting, scaling, and a kind of the user's own."""

from __future__ import annotations

import asyncio

import kr8s.asyncio
import kr8s.asyncio.objects as objects
import pytest

from kubeactors import load_manifests
from tests.integration.sdk.conftest import Cluster
from tests.support.control_plane import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_what_users_of_kr8s_do(cluster: Cluster, namespace: str) -> None:
    async with asyncio.timeout(30):
        api = await kr8s.asyncio.api(kubeconfig=str(cluster.plane.kubeconfig), namespace=namespace)
        assert "v1.37" in (await api.version())["gitVersion"]
        labels = {"app": "web"}
        container = {"name": "web", "image": "registry.example/web:1"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        deployment = await objects.Deployment(
            {
                "metadata": {"name": "web", "namespace": namespace},
                "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
            },
            api=api,
        )
        await deployment.create()
        await deployment.wait("condition=Available")
        await deployment.scale(2)
        await deployment.label(tier="front")
        await deployment.wait("jsonpath='{.status.readyReplicas}'=2")
        pods = [pod async for pod in api.get("pods", label_selector="app=web")]
        assert len(pods) == 2 and {pod.status.phase for pod in pods} == {"Running"}
        async for event, pod in api.watch("pods", label_selector="app=web"):
            assert (event, pod.metadata.labels.app) == ("ADDED", "web")
            break
        await deployment.delete()
        await deployment.wait("delete")

        await cluster.client.apply_all(load_manifests(ROOT / "examples/operator/definition.yaml"))
        website = objects.new_class("Website", "example.com/v1", namespaced=True, plural="websites")
        made = await website({"metadata": {"name": "s", "namespace": namespace}, "spec": {"page": "hi"}}, api=api)
        await made.create()
        await made.patch({"status": {"url": "http://s"}}, subresource="status")
        await made.refresh()
        assert (made.spec.replicas, made.status.url) == (2, "http://s")
        [found] = [each async for each in api.get("websites.example.com")]
        assert found.name == "s"
        await made.delete()
        with pytest.raises(kr8s.NotFoundError):
            await made.refresh()
