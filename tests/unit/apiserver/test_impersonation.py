"""Acting as somebody else, and the questions that a URL is."""

from __future__ import annotations

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.authn.impersonation import impersonate, wanted_user
from kubeactors.apiserver.authz import AllowAuthenticated, Attributes, Decision, Rules
from kubeactors.apiserver.authz.request_info import attributes_of
from kubeactors.apiserver.http.query import split_target
from kubeactors.apiserver.request import ANONYMOUS, UserInfo

ADMIN = UserInfo("admin", ("system:masters", "system:authenticated"))
BOB = UserInfo("bob", ("system:authenticated",))


def _question(user: UserInfo) -> Attributes:
    return Attributes(user, "list", "", "v1", "pods", "", "ns")


async def _as(*headers: tuple[str, str], by: UserInfo = ADMIN) -> UserInfo:
    wanted = wanted_user(headers)
    assert wanted is not None
    return await impersonate(AllowAuthenticated(), wanted, _question(by))


async def test_everything_about_a_user_can_be_asked_for() -> None:
    user = await _as(
        ("impersonate-user", "alice"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Uid", "u1"),
        ("Impersonate-Extra-Scope", "x"),
        ("Impersonate-Extra-example.com%2fTeam", "y"),
        ("Impersonate-Extra-Scope", "z"),
        ("Accept", "application/json"),
    )
    assert user == UserInfo(
        "alice",
        ("dev", "ops", "system:authenticated"),
        "u1",
        {"scope": ("x", "z"), "example.com/team": ("y",)},
    )


def test_bytes_that_are_no_text_can_be_written_nevertheless() -> None:
    wanted = wanted_user([("Impersonate-User", "a\udcff"), ("Impersonate-Extra-%ff", "\udc80")])
    assert wanted == UserInfo("a\ufffd", (), "", {"%ff": ("\ufffd",)})


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("alice", ("system:authenticated",)),
        ("system:anonymous", ("system:unauthenticated",)),
        ("system:node:n1", ("system:nodes", "system:authenticated")),
        (
            "system:serviceaccount:ns:robot",
            ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"),
        ),
        ("system:serviceaccount:NS:robot", ("system:authenticated",)),
    ],
)
async def test_groups_that_come_with_a_name(name: str, groups: tuple[str, ...]) -> None:
    assert (await _as(("Impersonate-User", name))).groups == groups


@pytest.mark.parametrize("header", ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-X"])
def test_a_name_is_needed(header: str) -> None:
    with pytest.raises(StatusError, match="without impersonating a user name") as caught:
        wanted_user([(header, "y")])
    assert caught.value.code == 400
    assert wanted_user([("Accept", "*/*")]) is None


async def test_only_masters_may() -> None:
    for user, name in ((BOB, "bob"), (ANONYMOUS, "system:anonymous")):
        with pytest.raises(StatusError) as caught:
            await _as(("Impersonate-User", "alice"), by=user)
        assert caught.value.code == 403
        assert caught.value.message == (
            f'pods is forbidden: User "{name}" cannot impersonate-on:user-info:list resource "pods" '
            'in API group "" in the namespace "ns"'
        )
    assert (await _as(("Impersonate-User", "a"), ("Impersonate-Group", "system:masters"))).groups[0] == "system:masters"


class _Rules:
    """Allows what is listed as (verb, resource)."""

    def __init__(self, *allowed: tuple[str, str]) -> None:
        self.allowed = set(allowed)

    async def authorize(self, attributes: Attributes) -> Decision:
        return Decision((attributes.verb, attributes.resource) in self.allowed)

    async def rules(self, user: UserInfo, namespace: str) -> Rules:
        return Rules()


async def test_both_rights_are_asked_for() -> None:
    wanted = UserInfo("alice", ("dev",))
    legacy = _Rules(("impersonate", "users"), ("impersonate", "groups"))
    assert (await impersonate(legacy, wanted, _question(BOB))).name == "alice"
    constrained = _Rules(
        ("impersonate-on:user-info:list", "pods"),
        ("impersonate:user-info", "users"),
        ("impersonate:user-info", "groups"),
    )
    assert (await impersonate(constrained, wanted, _question(BOB))).name == "alice"
    with pytest.raises(StatusError, match="system:masters group is not allowed"):
        await impersonate(constrained, UserInfo("alice", ("system:masters",)), _question(BOB))
    with pytest.raises(StatusError, match='cannot impersonate:user-info resource "groups"'):
        constrained.allowed.remove(("impersonate:user-info", "groups"))
        await impersonate(constrained, wanted, _question(BOB))


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "/api/v1/namespaces/ns/pods", ("list", "", "pods", "", "ns", "")),
        ("GET", "/api/v1/namespaces/ns/pods?watch=1", ("watch", "", "pods", "", "ns", "")),
        ("GET", "/api/v1/watch/pods", ("watch", "", "pods", "", "", "")),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/ns/deployments",
            ("deletecollection", "apps", "deployments", "", "ns", ""),
        ),
        ("POST", "/api/v1/namespaces/ns/pods/p/exec", ("create", "", "pods", "exec", "ns", "p")),
        ("PATCH", "/api/v1/namespaces/ns/status", ("patch", "", "namespaces", "status", "ns", "ns")),
        ("GET", "/api/v1/namespaces/ns", ("get", "", "namespaces", "", "ns", "ns")),
        ("GET", "/api/v1/nodes/n", ("get", "", "nodes", "", "", "n")),
    ],
)
def test_the_question_of_a_url(method: str, url: str, expected: tuple[str, ...]) -> None:
    target = split_target(url)
    watch = target.query.boolean("watch")
    found = attributes_of(BOB, method, target.path, target.segments, watch=watch)
    assert (found.verb, found.group, found.resource, found.subresource, found.namespace, found.name) == expected
    assert not found.path


@pytest.mark.parametrize("path", ["/", "/api", "/apis/apps/v1", "/api/v1", "/version", "/api/v1/watch"])
def test_other_paths(path: str) -> None:
    found = attributes_of(BOB, "GET", path, split_target(path).segments)
    assert (found.verb, found.path, found.resource) == ("get", path, "")
