"""helm with the example chart, whose pods run: Redis with a password, web servers, and the chart's own test."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from tests.support.cluster import TestCluster, run
from tests.support.helm import helm_binary

CHART = Path(__file__).resolve().parents[2] / "examples" / "helm" / "guestbook"


def test_a_release_runs_and_passes_its_own_test(cluster: TestCluster, namespace: str) -> None:
    def helm(*arguments: str) -> str:
        return run([helm_binary(), "-n", namespace, *arguments], timeout=120, **cluster.environment).stdout

    def page() -> str:
        service = cluster.get("service", "shop-guestbook", "-n", namespace)
        with urllib.request.urlopen(f"http://{service['spec']['clusterIP']}", timeout=60) as answer:
            body: str = answer.read().decode()
            return body

    assert "STATUS: deployed" in helm("install", "shop", str(CHART), "--wait", "--timeout", "60s")
    tested = helm("test", "shop", "--logs", "--timeout", "60s")
    assert "the guestbook has our entry" in tested
    assert "from helm" in page()
    helm("upgrade", "shop", str(CHART), "--wait", "--timeout", "60s", "--set", "pageVersion=v2")
    assert "Guestbook v2" in page()
    helm("rollback", "shop", "--wait", "--timeout", "60s")
    assert "Guestbook v1" in page()
    assert json.loads(helm("list", "-o", "json"))[0]["revision"] == "3"
    helm("uninstall", "shop", "--wait", "--timeout", "60s")
    left = cluster.kubectl("get", "deployments,services,secrets", "-n", namespace, "-o", "name").stdout
    assert left == ""
