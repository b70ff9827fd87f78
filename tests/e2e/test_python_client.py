"""The official Python client, unmodified: creates, watches and deletes."""

from __future__ import annotations

import kubernetes as k8s

from tests.support.cluster import TestCluster


def test_create_watch_delete(cluster: TestCluster, namespace: str) -> None:
    api = k8s.client.CoreV1Api(k8s.config.new_client_from_config(str(cluster.paths.kubeconfig)))
    container = k8s.client.V1Container(
        name="main", image="localhost/guestbook-sidecar:v1", command=["sh", "-c", "sleep 1000 & wait"]
    )
    spec = k8s.client.V1PodSpec(containers=[container], termination_grace_period_seconds=1)
    pod = k8s.client.V1Pod(metadata=k8s.client.V1ObjectMeta(name="one"), spec=spec)
    created = api.create_namespaced_pod(namespace, pod)
    assert created.status.phase == "Pending"

    seen: list[tuple[str, str]] = []
    watch = k8s.watch.Watch()
    for event in watch.stream(api.list_namespaced_pod, namespace, timeout_seconds=40):
        phase = event["object"].status.phase
        seen.append((event["type"], phase))
        if event["type"] == "MODIFIED" and phase == "Running" and "Running" not in [p for _, p in seen[:-1]]:
            api.delete_namespaced_pod("one", namespace)
        if event["type"] == "DELETED":
            watch.stop()
    assert seen[0] == ("ADDED", "Pending")
    assert ("MODIFIED", "Running") in seen
    assert seen[-1][0] == "DELETED"
    assert api.list_namespaced_pod(namespace).items == []
