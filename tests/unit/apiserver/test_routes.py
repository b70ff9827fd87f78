"""Which resource a URL names and which verb a method asks of it."""

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry
from kubeactors.apiserver.http.query import split_target
from kubeactors.apiserver.http.routes import UnknownPathError, resource_path, verb_of


def _path(url: str):
    return resource_path(split_target(url).segments, registry)


@pytest.mark.parametrize(
    ("url", "plural", "namespace", "name", "subresource"),
    [
        ("/api/v1/pods", "pods", "", "", ""),
        ("/api/v1/namespaces/a/pods/b", "pods", "a", "b", ""),
        ("/api/v1/namespaces/a/pods/b/log?follow=1", "pods", "a", "b", "log"),
        ("/api/v1/namespaces/default/", "namespaces", "", "default", ""),
        ("/api/v1/namespaces/default/status", "namespaces", "", "default", "status"),
        ("/apis/apps/v1/namespaces/a/deployments/b/scale", "deployments", "a", "b", "scale"),
        ("/api/v1/nodes/n%2D1", "nodes", "", "n-1", ""),
    ],
)
def test_paths(url: str, plural: str, namespace: str, name: str, subresource: str) -> None:
    path = _path(url)
    assert (path.kind.plural, path.namespace, path.name, path.subresource) == (plural, namespace, name, subresource)


def test_the_old_watch_prefix() -> None:
    path = _path("/api/v1/watch/namespaces/a/secrets/b")
    assert path.watched
    assert verb_of("GET", path, watch=False) == "watch"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("url", ["/api/v1/watch/namespaces/a/secrets/b", "/api/v1/watch/namespaces/a/secrets"])
def test_the_old_watch_prefix_only_watches(method: str, url: str) -> None:
    with pytest.raises(StatusError) as raised:
        verb_of(method, _path(url), watch=False)
    assert raised.value.code == 405


@pytest.mark.parametrize("url", ["/apis/none.example.com/v1/things", "/nothing/at/all"])
def test_unknown_groups_are_unknown_paths(url: str) -> None:
    with pytest.raises(UnknownPathError):
        _path(url)


@pytest.mark.parametrize(
    "url",
    [
        "/api/v1/widgets",
        "/api/v1/watch/namespaces/a/pods/b/log",
        "/apis/apps/v9/deployments",
        "/api/v1/namespaces/a/configmaps/x/status",
        "/api/v1/namespaces/a/nodes",
        "/api/v1/pods/x",
        "/api/v1/namespaces/a/configmaps/a%2Fb",
    ],
)
def test_unknown_resources_of_known_groups_are_a_status(url: str) -> None:
    with pytest.raises(StatusError) as caught:
        _path(url)
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")


@pytest.mark.parametrize(
    ("method", "url", "verb"),
    [
        ("GET", "/api/v1/pods", "list"),
        ("GET", "/api/v1/namespaces/a/pods", "list"),
        ("POST", "/api/v1/namespaces/a/pods", "create"),
        ("DELETE", "/api/v1/namespaces/a/pods", "deletecollection"),
        ("GET", "/api/v1/namespaces/a/pods/b", "get"),
        ("PUT", "/api/v1/namespaces/a/pods/b/status", "update"),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b", "patch"),
        ("POST", "/api/v1/namespaces/a/pods/b/binding", "create"),
    ],
)
def test_verbs(method: str, url: str, verb: str) -> None:
    assert verb_of(method, _path(url), watch=False) == verb


def test_watch_of_an_object_is_a_get() -> None:
    assert verb_of("GET", _path("/api/v1/namespaces/a/pods/b"), watch=True) == "get"
    assert verb_of("GET", _path("/api/v1/namespaces/a/pods"), watch=True) == "watch"


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("PUT", "/api/v1/namespaces/a/configmaps"),
        ("POST", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/configmaps"),
        ("POST", "/api/v1/namespaces/a/configmaps/x"),
        ("DELETE", "/api/v1/nodes/x/status"),
        ("DELETE", "/api/v1/namespaces"),
        ("OPTIONS", "/api/v1/namespaces/a/configmaps"),
        ("HEAD", "/api/v1/namespaces/a/configmaps/x"),
    ],
)
def test_methods_that_a_resource_does_not_have(method: str, url: str) -> None:
    with pytest.raises(StatusError) as caught:
        verb_of(method, _path(url), watch=False)
    assert caught.value.code == 405


@pytest.mark.parametrize(
    "url",
    [
        "/api/v1/bindings",
        "/api/v1/namespaces/a/bindings/b",
        "/apis/authorization.k8s.io/v1/localsubjectaccessreviews",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews/b",
    ],
)
def test_what_is_only_created_has_no_names_and_no_lists(url: str) -> None:
    with pytest.raises(StatusError) as raised:
        _path(url)
    assert raised.value.code == 404


@pytest.mark.parametrize("url", ["/api/v1/namespaces/a/bindings", "/apis/authorization.k8s.io/v1/subjectaccessreviews"])
def test_what_is_only_created_cannot_be_read(url: str) -> None:
    with pytest.raises(StatusError) as raised:
        verb_of("GET", _path(url), watch=False)
    assert raised.value.code == 405
