"""Selectors, versions, limits and continue tokens, whole and altered."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.fuzz import hostile, queries
from tests.fuzz.checks import check
from tests.fuzz.choices import Choices
from tests.fuzz.client import Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.effort import attempt
from tests.fuzz.plane import Plane

MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


@pytest.fixture(scope="module")
def token(client: Client) -> str:
    """The continue token of a page."""
    for name in ("l-1", "l-2", "l-3"):
        check(client.json("POST", MAPS, {"metadata": {"name": name, "labels": {"app": "lists"}}}))
    page = check(client.request("GET", MAPS + "?limit=1&labelSelector=app%3Dlists"))
    text: str = page.json()["metadata"]["continue"]
    return text


def _coded(document: Any) -> str:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_altered_continue_tokens(plane: Plane, client: Client, token: str) -> None:
    inside = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))

    def make(choose: Choices) -> str:
        how = choose.below(4)
        if how == 0:
            place = choose.below(len(token))
            return token[:place] + choose.one(("A", "", "=", "%", "\0", "é", "-_")) + token[place + 1 :]
        if how == 1:
            return _coded({**inside, choose.one(sorted(inside)): hostile.value(choose)})
        if how == 2:
            return _coded(choose.one(hostile.TEXTS[:40]))
        start = choose.one(("../secrets/x", "/registry/secrets", "\0", "", "a" * 10_000, "~", "l-1\0", "\ud800"))
        return _coded({**inside, "start": start, "rv": choose.one((inside["rv"], -1, 0, 1, 2**63 - 1, 2**63))})

    def sent(altered: str) -> None:
        began = plane.worked()
        for path in (MAPS, SECRETS, "/api/v1/namespaces", "/apis/fuzz.example.com/v1/widgets"):
            target = f"{path}?limit=2&continue={quote(altered, safe='', errors='surrogatepass')}"
            answer = check(client.request("GET", target), altered)
            assert answer.status in (200, 400, 410), answer
            if answer.status == 200:
                listed = [item["metadata"] for item in answer.json()["items"]]
                kind = answer.json()["kind"]
                assert path != MAPS or (kind == "ConfigMapList" and all("data" in m or "name" in m for m in listed))
        assert plane.worked() - began < 3.0

    attempt("continue tokens", make, sent, tries=40, long_tries=3000)


@pytest.mark.parametrize("name", ["labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch", "limit"])
@pytest.mark.parametrize("verb", ["list", "watch", "deletecollection"])
def test_parameters(plane: Plane, client: Client, name: str, verb: str) -> None:
    for value in queries.PARAMETERS[name]:
        given = quote(value, safe="", errors="surrogatepass")
        target = f"{SECRETS}?{name}={given}" + ("&watch=1&timeoutSeconds=1" if verb == "watch" else "&dryRun=All")
        if verb == "watch":
            # What is refused is refused at once; a watch that begins is not waited for here.
            stranger = target.replace("watch=1", "watch=0")
            check(client.request("GET", stranger), value)
            continue
        began = plane.worked()
        check(client.request("DELETE" if verb == "deletecollection" else "GET", target), value)
        assert plane.worked() - began < 3.0, f"{name}={value[:100]}"


def test_a_version_that_is_still_to_come_is_waited_for_a_while(client: Client) -> None:
    began = time.monotonic()
    answer = check(client.request("GET", MAPS + "?resourceVersion=99999999999"))
    assert (answer.status, answer.json()["reason"]) == (504, "Timeout")
    assert time.monotonic() - began < 20.0
