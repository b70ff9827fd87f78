"""One control plane for all of these tests, and what they leave: no fault in its log, no more memory than before."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.fuzz import documents, samples
from tests.fuzz.checks import check, check_log
from tests.fuzz.client import Client
from tests.fuzz.documents import Documents
from tests.fuzz.plane import Plane, running

NAMESPACE = "fuzz"
#: What the API server may take more at the end, in bytes: caches fill, and what was created is kept.
GROWTH = 250 * 1024 * 1024


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with running(tmp_path_factory.mktemp("fuzz"), anonymous_auth=True) as started:
        client = started.client()
        check(client.json("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}))
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        check(client.json("POST", crds, samples.WIDGETS))
        client.request("GET", "/openapi/v3")
        before = started.resident()
        yield started
        grown = started.resident() - before
        check(client.request("GET", "/readyz"))
        client.close()
        check_log(started.log())
        check_log(started.log("store"))
        assert grown < GROWTH, f"the API server grew by {grown / 2**20:.0f} MiB"


@pytest.fixture(scope="session")
def client(plane: Plane) -> Iterator[Client]:
    made = plane.client()
    yield made
    made.close()


@pytest.fixture(scope="session")
def served(client: Client) -> Documents:
    """The documents, once the custom kind is in them."""
    until = time.monotonic() + 10
    while "apis/fuzz.example.com/v1" not in client.request("GET", "/openapi/v3").json()["paths"]:
        assert time.monotonic() < until, "the custom kind is not published"
        time.sleep(0.05)
    return documents.fetch(client)
