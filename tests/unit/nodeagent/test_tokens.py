"""Pods' tokens: when they are asked for, when again, and what the files look like."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubeactors.api.errors import forbidden
from kubeactors.api.meta import Object
from kubeactors.client.calls import CreateCall
from nodeagent.paths import PodPaths
from nodeagent.pods.field_refs import PodFacts
from nodeagent.tokens import PodTokens, TokenError, Wanted, replace_at
from nodeagent.volumes.interface import VolumeContext, VolumeError
from nodeagent.volumes.manager import volume_tokens
from nodeagent.volumes.projected import token_file
from tests.support.fake_api import FakeApi

OWN = Wanted("", 3607)
VAULT = Wanted("vault", 600)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def datetime(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


def _pod(**spec: Any) -> Object:
    volumes = [
        {
            "name": "a",
            "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]},
        },
        {
            "name": "b",
            "projected": {
                "sources": [
                    {"configMap": {"name": "c"}},
                    {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 600, "path": "t"}},
                ]
            },
        },
        {"name": "c", "emptyDir": {}},
    ]
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "u1"},
        "spec": {"serviceAccountName": "robot", "containers": [{"name": "c"}], "volumes": volumes, **spec},
    }


class Node:
    """The tokens of a node over an API in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.api = FakeApi(now=self.clock.datetime)
        self.api.seed({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}})
        self.due: asyncio.Queue[str] = asyncio.Queue()
        self.tokens = PodTokens(self.api.client(), self.due.put_nowait, clock=self.clock)

    @property
    def asked(self) -> int:
        return len([call for call in self.api.calls if isinstance(call, CreateCall)])


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(3600, 2880.0), (600, 480.0), (3607, 2885.6), (365 * 24 * 3600, 24 * 3600.0)],
)
def test_a_token_is_replaced_after_four_fifths_of_its_life_or_a_day(seconds: int, age: float) -> None:
    assert replace_at(1e6 + seconds, seconds, 0.0) == pytest.approx(1e6 + age)
    assert replace_at(1e6 + seconds, seconds, 0.5) == pytest.approx(1e6 + age - 5)


def test_what_a_pod_wants() -> None:
    assert volume_tokens(_pod()) == {OWN, VAULT}
    assert volume_tokens(_pod(volumes=None)) == set()


async def test_tokens_are_asked_for_once_and_again_when_they_are_due() -> None:
    node, pod = Node(), _pod()
    await asyncio.gather(node.tokens.use(pod, [OWN, VAULT]), node.tokens.use(pod, [OWN]))
    first = node.tokens.get("u1", VAULT)
    assert first.startswith("default/robot for vault #")
    assert node.asked == 2
    node.clock.now += 400
    await node.tokens.use(pod, [OWN, VAULT])
    assert (node.asked, node.tokens.get("u1", VAULT)) == (2, first)
    node.clock.now += 100
    await node.tokens.use(pod, [OWN, VAULT])
    assert node.asked == 3
    assert node.tokens.get("u1", VAULT) != first
    node.tokens.release("u1")
    with pytest.raises(TokenError):
        node.tokens.get("u1", VAULT)
    await node.tokens.stop()


async def test_the_request_names_the_pod() -> None:
    node = Node()
    asked: list[Object] = []
    client = node.tokens._client

    async def create(resource: str, obj: Object, *arguments: Any, **options: Any) -> Object:
        asked.append(obj)
        return await type(client).create(client, resource, obj, *arguments, **options)

    client.create = create  # type: ignore[method-assign]
    await node.tokens.use(_pod(), [VAULT])
    assert asked[0]["spec"] == {
        "audiences": ["vault"],
        "expirationSeconds": 600,
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "u1"},
    }
    await node.tokens.stop()


async def test_the_owner_is_told_when_a_token_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.tokens._SOONEST", 0.0)
    monkeypatch.setattr("nodeagent.tokens._JITTER", 0.0)
    node = Node()
    await node.tokens.use(_pod(), [VAULT])
    node.clock.now += 479.95  # the timer was set for then, by the clock of the loop
    node.tokens._set_timer("u1", again=False)
    async with asyncio.timeout(30):
        assert await node.due.get() == "u1"
    await node.tokens.stop()


async def test_an_old_token_goes_on_while_there_is_no_new_one() -> None:
    node, pod = Node(), _pod()
    await node.tokens.use(pod, [VAULT])
    first = node.tokens.get("u1", VAULT)
    node.api.remove("serviceaccounts", "robot")
    node.clock.now += 500
    await node.tokens.use(pod, [VAULT])
    assert node.tokens.get("u1", VAULT) == first
    node.clock.now += 101
    await node.tokens.use(pod, [VAULT])
    with pytest.raises(TokenError, match='failed to fetch token: serviceaccounts "robot" not found'):
        node.tokens.get("u1", VAULT)
    await node.tokens.stop()


async def test_no_api_server_is_another_matter_than_a_refusal() -> None:
    node = Node()
    node.api.down = True
    with pytest.raises(TimeoutError, match="failed to fetch token"):
        await node.tokens.use(_pod(), [VAULT], timeout=0.05)
    assert "u1" in node.tokens._timers
    node.api.down = False
    node.api.fail(forbidden("serviceaccounts", "robot", "no"), verb="create")
    await node.tokens.use(_pod(), [VAULT])
    with pytest.raises(TokenError, match="is forbidden: no"):
        node.tokens.get("u1", VAULT)
    await node.tokens.stop()


def _context(tmp_path: Path, **spec: Any) -> VolumeContext:
    paths = PodPaths(tmp_path / "pods", tmp_path / "run", "u1")
    facts = PodFacts("n1", ("192.0.2.1",), (), {})
    return VolumeContext(_pod(**spec), paths, facts, lambda resource, name: None, lambda wanted: "secret")


@pytest.mark.parametrize(
    ("spec", "mode", "user"),
    [
        ({}, 0o644, None),
        ({"securityContext": {"fsGroup": 2000}}, 0o600, None),
        ({"securityContext": {"runAsUser": 1000}}, 0o600, 1000),
        (
            {"containers": [{"name": "a", "securityContext": {"runAsUser": 0}}, {"name": "b"}]},
            0o644,
            None,
        ),
        (
            {
                "securityContext": {"runAsUser": 1000},
                "initContainers": [{"name": "i", "securityContext": {"runAsUser": 7}}],
            },
            0o644,
            None,
        ),
    ],
)
def test_who_may_read_a_token(tmp_path: Path, spec: Object, mode: int, user: int | None) -> None:
    made = token_file(OWN, 0o644, _context(tmp_path, **spec))
    assert (made.data, made.mode, made.user) == (b"secret", mode, user)


def test_a_missing_token_is_told_as_the_volumes_failure(tmp_path: Path) -> None:
    paths = PodPaths(tmp_path / "pods", tmp_path / "run", "u1")
    context = VolumeContext(_pod(), paths, PodFacts("n1", ("192.0.2.1",), (), {}), lambda resource, name: None)
    with pytest.raises(VolumeError, match="failed to fetch token"):
        token_file(OWN, 0o644, context)
    assert os.listdir(tmp_path) == []
