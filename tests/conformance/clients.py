"""Small helpers around the official Python client: raw requests, and watching until something was seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import kubernetes
import urllib3

from tests.conformance.cluster import Cluster

T = TypeVar("T")
SECONDS = 60


def official_client(cluster: Cluster, **configuration: Any) -> kubernetes.client.ApiClient:
    """The official client as the administrator."""
    made = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(cluster.kubeconfig), client_configuration=made)
    for name, value in configuration.items():
        setattr(made, name, value)
    return kubernetes.client.ApiClient(made)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def warnings(self) -> list[str]:
        """The texts of the Warning headers."""
        values = self.headers.getlist("Warning")  # type: ignore[attr-defined]
        return [value.split('"', 1)[1].rsplit('"', 1)[0].replace('\\"', '"') for value in values]


class Http:
    """Plain HTTPS as the administrator (or nobody), for what no client library lets one say."""

    def __init__(self, cluster: Cluster, user: str | None = "admin") -> None:
        self._url = cluster.url
        self._pool = urllib3.PoolManager(ssl_context=cluster.plane.ssl_context(user), retries=False)

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        accept: str = "application/json",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; a body that is not bytes goes as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._pool.request(
            method,
            self._url + path,
            body=data,
            headers={"Accept": accept, "Content-Type": content_type, **(headers or {})},
            timeout=SECONDS,
        )
        return Answer(answer.status, answer.headers, answer.data)

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of an answer that has to be a 2xx."""
        answer = self(method, path, body, **options)
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {answer.body[:2000]!r}"
        return answer.json

    def close(self) -> None:
        self._pool.clear()


def watch_until(
    list_function: Callable[..., Any],
    *arguments: Any,
    until: Callable[[str, Any], bool],
    since: str,
    seconds: int = SECONDS,
    **options: Any,
) -> list[tuple[str, Any]]:
    """(type, object) of all events after resource version `since` up to the first that `until` accepts.

    Fails when the server ends the watch before, which it is asked to do after `seconds`.
    """
    seen: list[tuple[str, Any]] = []
    stream = kubernetes.watch.Watch()
    for event in stream.stream(list_function, *arguments, resource_version=since, timeout_seconds=seconds, **options):
        seen.append((event["type"], event["object"]))
        if until(event["type"], event["object"]):
            stream.stop()
            return seen
    raise AssertionError(f"not seen within {seconds} s; there was {[(t, _name(o)) for t, o in seen]}")


def eventually(check: Callable[[], T], seconds: float = SECONDS) -> T:
    """What `check` answers once that is true, for what no watch tells of."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < deadline, f"not so within {seconds} s: {answer!r}"
        time.sleep(0.02)
    return answer


def _name(obj: Any) -> str:
    return obj["metadata"]["name"] if isinstance(obj, dict) else obj.metadata.name
