"""Credentials from a program: what it is asked, what it may answer, when it is asked again."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubeactors.api.errors import StatusError, unauthorized
from kubeactors.client import ApiUnavailable, AsyncClient
from kubeactors.client.exec_plugin import ExecCredential, ExecPlugin, ExecPluginError, parse, run
from kubeactors.client.kubeconfig import ClientConfig
from tests.support.fake_api import FakeApi
from tests.support.fake_rest_server import FakeRestServer

VERSION = "client.authentication.k8s.io/v1"


def _answer(**status: Any) -> bytes:
    return json.dumps({"apiVersion": VERSION, "kind": "ExecCredential", "status": status}).encode()


def _plugin(script: str, **fields: Any) -> ExecPlugin:
    return ExecPlugin(sys.executable, ("-c", script), **fields)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"{", "printed no ExecCredential"),
        (b'{"kind":"ExecCredential"}', "printed no ExecCredential"),
        (b'{"apiVersion":"v1","kind":"ExecCredential","status":{"token":"t"}}', "another kind or version"),
        (_answer(), "neither a token nor a certificate"),
        (_answer(token="t", clientKeyData="k"), "neither a token nor a certificate"),
        (_answer(token="t", expirationTimestamp="soon"), "not an RFC 3339 time"),
    ],
)
def test_what_is_no_credential(output: bytes, message: str) -> None:
    with pytest.raises(ExecPluginError, match=message):
        parse(ExecPlugin("x"), output)


def test_what_is_one() -> None:
    found = parse(ExecPlugin("x"), _answer(token="t", expirationTimestamp="2026-01-01T00:00:00Z"))
    assert found == ExecCredential("t", expires=datetime(2026, 1, 1, tzinfo=UTC))
    found = parse(ExecPlugin("x"), _answer(clientCertificateData="c", clientKeyData="k"))
    assert (found.certificate, found.key) == (b"c", b"k")


async def test_what_the_program_is_told() -> None:
    script = (
        "import json, os; info = json.loads(os.environ['KUBERNETES_EXEC_INFO']);"
        "token = f\"{info['spec']['cluster']['server']} {info['spec']['interactive']} {os.environ['MINE']}\";"
        "print(json.dumps({**info, 'status': {'token': token}}))"
    )
    plugin = _plugin(script, environment=(("MINE", "own"),), cluster={"server": "https://h"})
    assert (await run(plugin)).token == "https://h False own"


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (ExecPlugin("/none/such"), "cannot run the credential plugin /none/such: No such file"),
        (_plugin("import sys; sys.exit('log in first')"), "failed with 1: log in first"),
        (_plugin("print('secret')"), "printed no ExecCredential"),
    ],
)
async def test_programs_that_fail(plugin: ExecPlugin, message: str) -> None:
    with pytest.raises(ExecPluginError, match=message) as caught:
        await run(plugin)
    assert "secret" not in str(caught.value)


@pytest.fixture
async def server() -> AsyncIterator[FakeRestServer]:
    server = FakeRestServer(FakeApi())
    await server.start()
    yield server
    await server.stop()


async def test_a_client_asks_once_and_again_when_it_is_refused(server: FakeRestServer, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = (
        f"open({str(count)!r}, 'a').write('x'); n = len(open({str(count)!r}).read());"
        f"print('{_answer(token='T').decode()}'.replace('T', f't{{n}}'))"
    )
    async with AsyncClient(config=ClientConfig((server.url,), exec_plugin=_plugin(script)), timeout=5) as client:
        await client.list("configmaps")
        await client.list("configmaps")
        server.api.fail(unauthorized(), verb="list")
        with pytest.raises(StatusError) as caught:
            await client.list("configmaps")
        assert caught.value.code == 401
        await client.list("configmaps")
    shown = [headers["Authorization"] for _, _, headers in server.seen]
    assert shown == ["Bearer t1", "Bearer t1", "Bearer t1", "Bearer t2"]


async def test_a_client_without_credentials_says_so(server: FakeRestServer) -> None:
    config = ClientConfig((server.url,), exec_plugin=ExecPlugin("/none/such"))
    async with AsyncClient(config=config, timeout=5) as client:
        with pytest.raises(ApiUnavailable, match="cannot run the credential plugin"):
            await client.list("configmaps")


async def test_a_password(server: FakeRestServer) -> None:
    async with AsyncClient(config=ClientConfig((server.url,), basic=("u", "ö")), timeout=5) as client:
        await client.list("configmaps")
    assert server.seen[0][2]["Authorization"] == "Basic dTrDtg=="
