"""The synchronous twin."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest

from kubeactors import AsyncClient, Client, StatusError, WaitTimeout
from kubeactors.operators import AsyncContext, Context
from tests.support.fake_api import FakeApi, _FakeTransport

POD: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def client_of(api: FakeApi) -> Client:
    return Client(transport=_FakeTransport(api))


def test_verbs(api: FakeApi) -> None:
    with client_of(api) as client:
        made = client.create("pods", POD)
        assert client.get("pods", "p") == made
        assert [pod["metadata"]["name"] for pod in client.list("pods")] == ["p"]
        client.patch("pods", "p", {"metadata": {"labels": {"a": "b"}}})
        client.update("pods", client.get("pods", "p"))
        client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})
        assert client.wait("configmaps", "c", condition="create", timeout=1)
        api.set_log("default", "p", "", b"line\n")
        assert [*client.logs("p")] == ["line"]
        client.delete("pods", "p")
        client.delete_collection("configmaps")
        with pytest.raises(StatusError) as missing:
            client.get("pods", "p")
        assert missing.value.reason == "NotFound"
        with pytest.raises(WaitTimeout):
            client.wait("pods", "p", condition="create", timeout=0.05)


def test_watch_is_an_iterator_that_ends_when_it_is_left(api: FakeApi) -> None:
    with client_of(api) as client:
        client.create("pods", POD)
        client.create("pods", {**POD, "metadata": {"name": "q"}})
        names = []
        for event in client.watch("pods"):
            names.append(event.object["metadata"]["name"])
            if len(names) == 2:
                break
        assert names == ["p", "q"]
        with client.watch("pods") as events:
            assert next(events).type == "ADDED"
        assert next(events, None) is None
        assert [event.type for event in client.watch("pods", timeout_seconds=1)] == ["ADDED", "ADDED"]
        assert api.watch_count == 0


def test_close_ends_the_thread_and_open_watches(api: FakeApi) -> None:
    client = client_of(api)
    client.create("pods", POD)
    events = client.watch("pods")
    next(events)
    client.close()
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "kubeactors client"]
    with pytest.raises(RuntimeError, match="closed"):
        client.get("pods", "p")


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    only_async = {"watch_batches"}
    assert public(AsyncClient) - only_async == public(Client) - {"default_namespace", "over"}
    for name in public(AsyncClient) - only_async - {"from_kubeconfig", "in_cluster"}:
        ours, theirs = inspect.signature(getattr(Client, name)), inspect.signature(getattr(AsyncClient, name))
        assert list(ours.parameters.values()) == list(theirs.parameters.values()), name
    assert list(inspect.signature(Client).parameters.values()) == list(
        inspect.signature(AsyncClient).parameters.values()
    )


def test_both_contexts_have_the_same_methods() -> None:
    # Finalizers are the runner's: it is not in a thread.
    assert public(AsyncContext) - {"set_finalizer"} == public(Context)
    for name in public(Context) - {"name", "namespace"}:
        ours, theirs = inspect.signature(getattr(Context, name)), inspect.signature(getattr(AsyncContext, name))
        assert list(ours.parameters.values()) == list(theirs.parameters.values()), name
