"""Custom resources in two versions between which a real webhook converts, over HTTPS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.customresources.webhook import Converter, Webhooks
from kubeactors.apiserver.request import Form
from kubeactors.pki.authority import Authority, Identity
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore
from tests.unit.apiserver.test_custom_resources import CRDS, definition, status, widget

V1, V2 = "widgets.v1.example.com", "widgets.v2.example.com"
TEXT = {"type": "string"}
MAX_ANSWER = 100_000


def schema(*fields: str) -> dict[str, Any]:
    spec = {"type": "object", "properties": dict.fromkeys(fields, TEXT)}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}


def convert(obj: dict[str, Any], wanted: str) -> dict[str, Any]:
    """v1 has spec.hostPort, v2 has spec.host and spec.port."""
    spec = obj.get("spec") or {}
    if wanted.endswith("v2"):
        host, _, port = spec.get("hostPort", "").partition(":")
        spec = {"host": host, "port": port}
    else:
        spec = {"hostPort": f"{spec.get('host', '')}:{spec.get('port', '')}"}
    return {**obj, "apiVersion": wanted, "spec": spec}


class Webhook:
    """Answers reviews with `change`; keeps how many objects each one had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.change: Callable[[dict[str, Any], str], dict[str, Any]] = convert
        self.refusal = ""
        self.misbehave: Callable[[dict[str, Any]], Awaitable[web.StreamResponse]] | None = None
        self.port = 0
        self.bundle = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        review = await request.json()
        asked = review["request"]
        self.sizes.append(len(asked["objects"]))
        if self.misbehave is not None:
            return await self.misbehave(asked)
        response: dict[str, Any] = {"uid": asked["uid"], "result": {"status": "Success"}}
        if self.refusal:
            response["result"] = {"status": "Failed", "message": self.refusal}
        else:
            response["convertedObjects"] = [self.change(obj, asked["desiredAPIVersion"]) for obj in asked["objects"]]
        return web.json_response({"kind": review["kind"], "apiVersion": review["apiVersion"], "response": response})

    def config(self, **more: Any) -> dict[str, Any]:
        client = {"url": f"https://127.0.0.1:{self.port}/convert", "caBundle": self.bundle, **more}
        return {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}


@pytest.fixture
async def webhook(tmp_path: Path) -> AsyncIterator[Webhook]:
    made = Webhook()
    authority = Authority.create("webhook-ca", datetime.now(UTC))
    pair = authority.issue(Identity("webhook", names=("127.0.0.1", "hook.ns.svc"), server=True), datetime.now(UTC))
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    made.bundle = base64.b64encode(authority.certificate).decode()
    app = web.Application()
    app.router.add_post("/convert", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@contextlib.asynccontextmanager
async def two_versions(webhook: Webhook, store: FakeStore | None = None) -> AsyncIterator[Api]:
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": schema("hostPort")},
        {"name": "v2", "served": True, "storage": False, "schema": schema("host", "port")},
    ]
    async with running_core(store or FakeStore()) as api:
        await api.create(CRDS, definition(versions=versions, conversion=webhook.config()))
        await status(api, "Established", "True")
        yield api


async def test_each_version_sees_its_own_fields(webhook: Webhook) -> None:
    async with two_versions(webhook) as api:
        made = await api.create(V2, widget("a", "v2", spec={"host": "h", "port": "1"}), "ns")
        assert (made["apiVersion"], made["spec"]) == ("example.com/v2", {"host": "h", "port": "1"})
        assert (await api.get(V1, "a", "ns"))["spec"] == {"hostPort": "h:1"}
        await api.patch(V2, "a", {"spec": {"port": "2"}}, "ns")
        assert (await api.get(V1, "a", "ns"))["spec"] == {"hostPort": "h:2"}
        await api.delete(V2, "a", "ns")
        assert await api.names(V1, "ns") == []


async def test_a_list_is_one_review_and_the_next_is_none(webhook: Webhook) -> None:
    async with two_versions(webhook) as api:
        for name in "abc":
            await api.create(V1, widget(name, spec={"hostPort": f"{name}:1"}), "ns")
        webhook.sizes.clear()
        found = await api.list(V2, "ns")
        assert [item["spec"]["host"] for item in found["items"]] == ["a", "b", "c"]
        assert {item["apiVersion"] for item in found["items"]} == {"example.com/v2"}
        await api.list(V2, "ns")
        assert webhook.sizes == [3]


async def test_a_watch_converts_its_events(webhook: Webhook) -> None:
    async with two_versions(webhook) as api:
        await api.create(V1, widget("a", spec={"hostPort": "h:1"}), "ns")
        watch = await api.watch(V2, "ns")
        tables = await api.watch(V2, "ns", form=Form.TABLE)
        await api.patch(V1, "a", {"spec": {"hostPort": "h:2"}}, "ns")
        await api.delete(V1, "a", "ns")
        events = [await watch.next() for _ in range(3)]
        assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert [event["object"]["spec"]["port"] for event in events] == ["1", "2", "2"]
        assert {event["object"]["apiVersion"] for event in events} == {"example.com/v2"}
        assert (await tables.next())["object"]["rows"][0]["cells"][0] == "a"


async def test_a_new_storage_version_reads_what_is_stored_in_the_old_one(webhook: Webhook) -> None:
    async with two_versions(webhook) as api:
        await api.create(V1, widget("a", spec={"hostPort": "h:1"}), "ns")
        patch = [
            {"op": "replace", "path": "/spec/versions/0/storage", "value": False},
            {"op": "replace", "path": "/spec/versions/1/storage", "value": True},
        ]
        made = await api.patch(CRDS, "widgets.example.com", patch, content_type="application/json-patch+json")
        assert made["status"]["storedVersions"] == ["v1", "v2"]
        await api.core.settle()
        assert (await api.get(V2, "a", "ns"))["spec"] == {"host": "h", "port": "1"}
        assert (await api.get(V1, "a", "ns"))["spec"] == {"hostPort": "h:1"}


async def test_what_a_webhook_may_not_do(webhook: Webhook) -> None:
    about = "conversion webhook for example.com/v1, Kind=Widget"
    async with two_versions(webhook) as api:
        await api.create(V1, widget("a", spec={"hostPort": "h:1"}), "ns")
        webhook.refusal = "not today"
        with pytest.raises(StatusError, match=f"^{about} failed: not today$") as caught:
            await api.get(V2, "a", "ns")
        assert caught.value.code == 500
        webhook.refusal = ""
        webhook.change = lambda obj, wanted: {**obj, "apiVersion": "example.com/v9"}
        with pytest.raises(StatusError, match="invalid groupVersion"):
            await api.get(V2, "a", "ns")
        webhook.change = lambda obj, wanted: {
            **obj, "apiVersion": wanted, "metadata": {**obj["metadata"], "name": "other"}
        }  # fmt: skip
        with pytest.raises(StatusError, match="must have the same name: a != other"):
            await api.get(V2, "a", "ns")
        webhook.change = lambda obj, wanted: {
            **convert(obj, wanted), "metadata": {**obj["metadata"], "labels": {"l": "x"}, "generation": 99}
        }  # fmt: skip
        found = await api.get(V2, "a", "ns")
        assert (found["metadata"]["labels"], found["metadata"]["generation"]) == ({"l": "x"}, 1)


def _review(asked: dict[str, Any], **response: Any) -> bytes:
    of = {"uid": asked["uid"], "result": {"status": "Success"}, **response}
    return orjson.dumps({"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "response": of})


ANSWERS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "nothing": lambda asked: b"",
    "no JSON": lambda asked: b"<html>",
    "a list": lambda asked: b"[]",
    "no response": lambda asked: b"{}",
    "deep": lambda asked: b"[" * 100_000,
    "text for an answer": lambda asked: orjson.dumps({"response": "x"}),
    "a result that is a list": lambda asked: _review(asked, result=["Success"]),
    "a result that is text": lambda asked: _review(asked, result="Success"),
    "objects that are text": lambda asked: _review(asked, convertedObjects="x"),
    "objects that are a number": lambda asked: _review(asked, convertedObjects=5),
    "nulls": lambda asked: _review(asked, convertedObjects=[None] * len(asked["objects"])),
    "no metadata": lambda asked: _review(asked, convertedObjects=[{**o, "metadata": 5} for o in asked["objects"]]),
    "more than there were": lambda asked: _review(asked, convertedObjects=asked["objects"] * 1000),
    "too long": lambda asked: b" " * (MAX_ANSWER + 1),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers_of_no_use(webhook: Webhook, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubeactors.apiserver.customresources.webhook.MAX_ANSWER", MAX_ANSWER)
    async with two_versions(webhook) as api:
        await api.create(V1, widget("w", spec={"hostPort": "h:1"}), "ns")

        async def misbehave(asked: dict[str, Any]) -> web.StreamResponse:
            return web.Response(body=ANSWERS[name](asked), content_type="application/json")

        webhook.misbehave = misbehave
        with pytest.raises(StatusError, match=r"^conversion webhook for .*Kind=Widget") as raised:
            await api.get(V2, "w", "ns")
        assert (raised.value.code, raised.value.reason) == (500, "")


async def test_a_webhook_that_never_answers_is_given_up(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubeactors.apiserver.customresources.webhook.TIMEOUT", 0.2)
    async with two_versions(webhook) as api:
        await api.create(V1, widget("w", spec={"hostPort": "h:1"}), "ns")
        never = asyncio.Event()

        async def hang(asked: dict[str, Any]) -> web.StreamResponse:
            await never.wait()
            return web.Response()

        webhook.misbehave = hang
        with pytest.raises(StatusError, match="context deadline exceeded"):
            await api.get(V2, "w", "ns")
        never.set()


async def test_a_webhook_that_is_not_there(webhook: Webhook) -> None:
    async with two_versions(webhook) as api:
        await api.create(V1, widget("a", spec={"hostPort": "h:1"}), "ns")
        gone = webhook.config(url="https://127.0.0.1:1/")
        await api.patch(CRDS, "widgets.example.com", {"spec": {"conversion": gone}})
        await api.core.settle()
        with pytest.raises(StatusError, match=r'failed: Post "https://127\.0\.0\.1:1/"'):
            await api.get(V2, "a", "ns")
        watch = await api.watch(V2, "ns")
        event = await watch.next()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 500)
        await watch.ended()
        assert await api.names(V1, "ns") == ["a"]


async def test_a_webhook_behind_a_service(webhook: Webhook) -> None:
    service = {"namespace": "ns", "name": "hook", "path": "/convert", "port": webhook.port}
    behind = webhook.config(url=None, service=service)["webhook"]
    old = widget("a", spec={"hostPort": "h:1"})
    addresses: dict[tuple[str, str], str] = {}
    webhooks = Webhooks(lambda namespace, name: addresses.get((namespace, name), ""))
    try:
        with pytest.raises(StatusError, match='service "hook" not found'):
            await Converter(webhooks, behind).convert([old], "example.com/v2")
        # The certificate is of hook.ns.svc, not of the address.
        addresses["ns", "hook"] = "127.0.0.1"
        (new,) = await Converter(webhooks, behind).convert([old], "example.com/v2")
        assert new["spec"] == {"host": "h", "port": "1"}
    finally:
        await webhooks.close()
