"""One control plane for all conformance tests of a process, a namespace for each test, and the count of behaviours."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import kubernetes
import pytest
from kubernetes.client import ApiClient, CoreV1Api

from tests.conformance.clients import Http, official_client
from tests.conformance.cluster import Cluster, running_cluster
from tests.conformance.registry import elsewhere, later, titles, titles_of

BEHAVIOUR = "behaviour"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [(BEHAVIOUR, title) for title in titles_of(item.iter_markers(BEHAVIOUR))]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many of the known behaviours the tests of this run have seen."""
    passed, other = (
        {
            str(title)
            for outcome in outcomes
            for report in terminalreporter.stats.get(outcome, [])
            for key, title in getattr(report, "user_properties", ())
            if key == BEHAVIOUR
        }
        for outcomes in (("passed",), ("failed", "error", "skipped"))
    )
    if passed or other:
        terminalreporter.write_line(
            f"conformance: {len(passed - other)} of {len(titles())} known behaviours pass, {len(other)} do not, "
            f"{len(elsewhere())} are checked elsewhere with containers that run (elsewhere.yaml), "
            f"{len(later())} are for later (later.yaml)"
        )


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with controllers, a scheduler and two nodes that run nothing."""
    with running_cluster(tmp_path_factory.mktemp("conformance")) as running:
        yield running


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[ApiClient]:
    """The official Python client."""
    with official_client(cluster) as client:
        yield client


@pytest.fixture(scope="session")
def http(cluster: Cluster) -> Iterator[Http]:
    """Plain HTTPS."""
    client = Http(cluster)
    yield client
    client.close()


@pytest.fixture
def new_namespace(api: ApiClient) -> Callable[[], str]:
    """Makes namespaces. They are not removed: the whole control plane is."""

    def make() -> str:
        name = f"t-{uuid.uuid4().hex[:8]}"
        CoreV1Api(api).create_namespace({"metadata": {"name": name}})
        return name

    return make


@pytest.fixture
def namespace(new_namespace: Callable[[], str]) -> str:
    """A fresh namespace."""
    return new_namespace()


@pytest.fixture
def core(api: ApiClient) -> CoreV1Api:
    """Core kinds of the official client."""
    return kubernetes.client.CoreV1Api(api)
