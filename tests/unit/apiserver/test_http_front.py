"""The HTTPS front over real TLS, with a scripted handler behind it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from kubeactors.api import errors
from kubeactors.apiserver.long_document import LongDocument
from kubeactors.apiserver.request import Form, IncludeObject, Request, Response, WatchSink
from tests.support.eventually import eventually
from tests.unit.apiserver.conftest import RunningFronts

POD = "/api/v1/namespaces/a/pods/p"
PODS = "/api/v1/namespaces/a/pods"


@pytest.fixture
async def client(running: RunningFronts) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=running.tls())
    headers = {"Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(
        running.url, connector=connector, auto_decompress=False, headers=headers
    ) as session:
        yield session


async def _exchange(running: RunningFronts, sent: bytes) -> bytes:
    """What comes back until the server closes the connection, which `sent` must make it do."""
    host, port = "127.0.0.1", running.fronts.https_port
    reader, writer = await asyncio.open_connection(host, port, ssl=running.tls(), server_hostname=host)
    writer.write(sent)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


async def test_a_client_that_expects_to_be_told_is_told_to_continue(running: RunningFronts) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n" % PODS.encode()
    answer = await _exchange(running, head + b"Content-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /api/v1/namespaces/%zz HTTP/1.1\r\nHost: a\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", b"431 Request Header Fields Too Large"),
        (b"POST /api HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400 Bad Request"),
        (b"BREW /api HTTP/1.1\r\nHost: a\r\n\r\n", b"405 Method Not Allowed"),
    ],
)
async def test_what_is_no_request(running: RunningFronts, sent: bytes, status: bytes) -> None:
    assert (await _exchange(running, sent)).startswith(b"HTTP/1.1 " + status + b"\r\n")


async def test_a_client_that_goes_away_is_no_error(running: RunningFronts, caplog: pytest.LogCaptureFixture) -> None:
    host, port = "127.0.0.1", running.fronts.https_port
    reader, writer = await asyncio.open_connection(host, port, ssl=running.tls(), server_hostname=host)
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n" % PODS.encode()
    writer.write(head)
    async with asyncio.timeout(30):
        await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()
    await eventually(lambda: running.fronts._https.connections == 0)
    await running.fronts.stop()
    assert not caplog.records


async def test_a_get_becomes_a_request_of_the_certificates_user(
    running: RunningFronts, client: aiohttp.ClientSession
) -> None:
    running.handler.respond = lambda request: Response(200, b'{"kind":"Pod"}', warnings=('mind the "gap"',))
    async with client.get(POD, headers={"User-Agent": "test/1"}) as answer:
        assert answer.status == 200
        assert await answer.read() == b'{"kind":"Pod"}\n'
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-cache, private"
        assert len(answer.headers["Audit-Id"]) == 36
        assert answer.headers["Warning"] == '299 - "mind the \\"gap\\""'
    (request,) = running.handler.requests
    assert (request.verb, request.kind.plural, request.namespace, request.name) == ("get", "pods", "a", "p")
    assert request.user.name == "alice"
    assert request.user.groups == ("team", "system:authenticated")
    assert request.user.extra["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")
    assert request.user_agent == "test/1"


@pytest.mark.parametrize("running", [{"anonymous_auth": False}, {"anonymous_auth": True}], indirect=True)
async def test_without_a_certificate_only_open_paths_answer(
    running: RunningFronts, request: pytest.FixtureRequest
) -> None:
    refused = (401, "Unauthorized", "Unauthorized")
    if request.node.callspec.params["running"]["anonymous_auth"]:
        refused = (403, "Forbidden", 'User "system:anonymous" cannot')
    connector = aiohttp.TCPConnector(ssl=running.tls(None))
    async with aiohttp.ClientSession(running.url, connector=connector) as client:
        for path in ("/healthz", "/livez", "/readyz", "/version"):
            async with client.get(path) as answer:
                assert answer.status == 200, path
        for path in (
            "/api",
            "/apis",
            "/metrics",
            "/openapi/v2",
            "/nothing",
            "/",
            "/api/v1/nothings",
            "/apis/none/v1/things",
        ):
            async with client.get(path) as answer:
                body = await answer.json()
                assert (answer.status, body["reason"]) == refused[:2], path
                assert refused[2] in body["message"]
        async with client.get("/healthz", headers={"Authorization": "Bearer nope"}) as answer:
            assert answer.status == 401
    assert not running.handler.requests


async def test_a_certificate_of_another_authority_is_unauthorized(running: RunningFronts) -> None:
    connector = aiohttp.TCPConnector(ssl=running.tls("mallory"))
    async with aiohttp.ClientSession(running.url, connector=connector) as client:
        for path in (POD, "/healthz"):
            async with client.get(path) as answer:
                body = await answer.json()
                assert (answer.status, body["reason"], body["message"]) == (401, "Unauthorized", "Unauthorized")
    assert not running.handler.requests


async def test_errors_become_a_status(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    def refuse(request: object) -> Response:
        raise errors.too_many_requests("busy", retry_after_seconds=3)

    running.handler.respond = refuse
    async with client.get(POD) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "3"
        assert (await answer.json())["reason"] == "TooManyRequests"


async def test_a_fault_is_a_500_with_a_status_and_the_server_goes_on(
    running: RunningFronts, client: aiohttp.ClientSession
) -> None:
    def fail(request: object) -> Response:
        raise RuntimeError("secret detail")

    running.handler.respond = fail
    async with client.get(POD) as answer:
        text = await answer.text()
        assert (answer.status, json.loads(text)["reason"]) == (500, "InternalError")
        assert "secret" not in text
    running.handler.respond = lambda request: Response(200, b"{}")
    async with client.get(POD) as answer:
        assert answer.status == 200


async def test_bodies_and_their_media_types(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    running.handler.respond = lambda request: Response(201, b"{}")
    async with client.post(PODS, data=b"kind: Pod", headers={"Content-Type": "application/yaml"}) as answer:
        assert answer.status == 201
    request = running.handler.requests[-1]
    assert (request.verb, request.body, request.content_type) == ("create", b"kind: Pod", "application/yaml")
    async with client.post(PODS, data=b"x", headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415
        assert "accepted media types include: application/json" in (await answer.json())["message"]
    async with client.patch(POD, data=b"{}", headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json())["message"]) == (415, "415: Unsupported Media Type")
    headers = {"Content-Type": "application/merge-patch+json; charset=utf-8"}
    async with client.patch(f"{POD}?dryRun=All&fieldManager=m", data=b"{}", headers=headers) as answer:
        assert answer.status == 201
    request = running.handler.requests[-1]
    assert (request.content_type, request.options.dry_run) == ("application/merge-patch+json", ("All",))


async def test_a_body_over_the_limit(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    for body in (b"x" * 100_001, _pieces(200_000)):
        async with client.post(PODS, data=body, headers={"Content-Type": "application/json"}) as answer:
            status = await answer.json()
        assert (status["code"], status["reason"]) == (413, "RequestEntityTooLarge")
        assert status["message"] == "Request entity too large: limit is 100000"
    assert not running.handler.requests


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 10_000):
        yield b"x" * 10_000


async def test_forms_of_answers(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    running.handler.respond = lambda request: Response(200, b'{"b":1,"a":"x"}')
    table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    async with client.get(PODS, params={"includeObject": "None"}, headers={"Accept": table}) as answer:
        assert answer.status == 200
    request = running.handler.requests[-1]
    assert (request.form, request.options.include_object) == (Form.TABLE, IncludeObject.NONE)
    async with client.get(POD, headers={"Accept": "application/yaml"}) as answer:
        assert answer.headers["Content-Type"] == "application/yaml"
        assert await answer.text() == "a: x\nb: 1\n"
    async with client.get(POD, params={"pretty": "1"}) as answer:
        assert await answer.text() == '{\n  "b": 1,\n  "a": "x"\n}'
    async with client.get(POD, headers={"Accept": "text/html"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (406, "NotAcceptable")


async def test_what_is_listed_and_not_stored_has_columns(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    running.handler.respond = lambda request: Response(200, b"{}")
    table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    async with client.get("/api/v1/componentstatuses", headers={"Accept": table}) as answer:
        assert answer.status == 200
    assert running.handler.requests[-1].form is Form.TABLE


_PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {}}


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        ("Table", PODS, {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": [{"object": _PARTIAL}]}),
        ("PartialObjectMetadata", POD, _PARTIAL),
        (
            "PartialObjectMetadataList",
            PODS,
            {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": [_PARTIAL]},
        ),
    ],
)
async def test_forms_in_their_beta_version(
    running: RunningFronts, client: aiohttp.ClientSession, kind: str, path: str, body: dict[str, object]
) -> None:
    running.handler.respond = lambda request: Response(200, orjson.dumps(body))
    for version in ("v1", "v1beta1"):
        accept = {"Accept": f"application/json;as={kind};g=meta.k8s.io;v={version}"}
        async with client.get(path, headers=accept) as answer:
            text = await answer.text()
        assert text.count(f'"meta.k8s.io/{version}"') == text.count('"apiVersion"') > 0


async def test_an_audit_id_of_the_clients_own(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    async with client.get(POD, headers={"Audit-ID": "mine"}) as answer:
        assert answer.headers["Audit-Id"] == "mine"


async def test_large_answers_are_compressed_for_those_who_ask(
    running: RunningFronts, client: aiohttp.ClientSession
) -> None:
    body = orjson.dumps({"items": ["x" * 100] * 2000})
    running.handler.respond = lambda request: Response(200, body)
    async with client.get(PODS, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == body + b"\n"
    async with client.get(PODS, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert await answer.read() == body + b"\n"


async def test_a_long_list_goes_out_in_pieces_in_every_form(
    running: RunningFronts, client: aiohttp.ClientSession
) -> None:
    items = [b'{"metadata":{"name":"p%d"},"filling":"%b"}' % (number, b"x" * 5000) for number in range(500)]
    document = LongDocument(b'{"kind":"PodList","items":[', items, b"]}\n")
    running.handler.respond = lambda request: Response(200, document=document)
    whole = document.whole()
    async with client.get(PODS) as answer:
        assert answer.headers["Content-Length"] == str(document.size)
        assert await answer.read() == whole
    async with client.get(PODS, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == whole
    async with client.get(PODS + "?pretty=1") as answer:
        assert json.loads(await answer.read()) == json.loads(whole)
    async with client.get(PODS, headers={"Accept": "application/yaml"}) as answer:
        assert (await answer.read()).startswith(b"items:\n- filling: xxx")


async def test_a_client_that_does_not_read_a_long_list_holds_no_one_up(
    running: RunningFronts, client: aiohttp.ClientSession
) -> None:
    document = LongDocument(b"[", [b'"%b"' % (b"x" * 100_000)] * 1000, b"]\n")
    running.handler.respond = lambda request: (
        Response(200, document=document) if request.verb == "list" else Response(200, b"{}")
    )
    async with client.get(PODS) as answer:
        async with client.get(POD) as other:
            assert await other.read() == b"{}\n"
        answer.close()  # in the middle
    async with client.get(POD) as other:
        assert other.status == 200


async def test_unknown_paths_and_methods(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    for path in ("/nothing", "/apis/none.example.com", "/apis/none.example.com/v1/x", "//api"):
        async with client.get(running.url + path) as answer:
            assert (answer.status, await answer.text()) == (404, "404 page not found\n"), path
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    for path in ("/apis/apps/v9", "/api/v1/widgets"):
        async with client.get(path) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (404, "NotFound")
    for method in ("OPTIONS", "TRACE", "PROPFIND", "CONNECTX"):
        async with client.request(method, POD) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (405, "MethodNotAllowed"), method


@pytest.mark.parametrize("timeout", ["invalid", "5", "-", "9223372037s"])
async def test_a_timeout_that_cannot_be_read(
    running: RunningFronts, client: aiohttp.ClientSession, timeout: str
) -> None:
    for path in (POD, "/version"):
        async with client.get(path, params={"timeout": timeout}) as answer:
            body = await answer.json()
            assert (answer.status, body["reason"]) == (400, "BadRequest")
            assert body["message"].startswith("invalid timeout specified in the request URL - time: invalid duration")


@pytest.mark.parametrize("timeout", ["0s", "1h", "30s"])
async def test_a_timeout_is_kept_within_the_servers(
    running: RunningFronts, client: aiohttp.ClientSession, timeout: str
) -> None:
    async with client.get(POD, params={"timeout": timeout}) as answer:
        assert answer.status == 200


async def test_a_request_that_takes_longer_than_its_client_allows(
    running: RunningFronts, client: aiohttp.ClientSession
) -> None:
    async def never(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError("the event is never set")

    running.handler.handle = never  # type: ignore[method-assign]
    async with client.get(POD, params={"timeout": "50ms"}) as answer:
        body = await answer.json()
        assert (answer.status, body["reason"]) == (504, "Timeout")
        assert "request did not complete within requested timeout" in body["message"]


@pytest.mark.parametrize(
    ("selector", "selects"), [("", True), ("metadata.name=p", True), ("metadata.name=q", False), ("a=b", False)]
)
async def test_the_old_path_of_a_watch_of_one_object(
    running: RunningFronts, client: aiohttp.ClientSession, selector: str, selects: bool
) -> None:
    url = "/api/v1/watch/namespaces/a/pods/p"
    async with client.get(url, params={"fieldSelector": selector}) as answer:
        if selects:
            (request,) = running.handler.requests
            assert (request.verb, request.name) == ("watch", "")
            assert request.options.field_selector == "metadata.name=p"
        else:
            body = await answer.json()
            assert (answer.status, body["message"]) == (
                400,
                "fieldSelector metadata.name doesn't match requested name",
            )


async def test_health_checks(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    async with client.get("/readyz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    async with client.get("/readyz/etcd") as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
    async with client.get("/livez/nothing") as answer:
        assert answer.status == 404
    running.checks["etcd"] = "deadline exceeded at 10.0.0.1"
    async with client.get("/readyz") as answer:
        assert answer.status == 500
        assert await answer.text() == "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"
    async with client.get("/readyz?verbose&exclude=etcd") as answer:
        assert answer.status == 200
        assert await answer.text() == "[+]ping ok\n[+]etcd excluded: ok\nreadyz check passed\n"
    async with client.get("/readyz?verbose&exclude=etcd&exclude=b&exclude=a") as answer:
        warning = 'warn: some health checks cannot be excluded: no matches for "a","b"'
        assert (await answer.text()).splitlines()[-2:] == [warning, "readyz check passed"]
    async with client.get("/readyz?exclude=etcd&exclude=a") as answer:
        assert await answer.text() == "ok"


async def test_readiness_is_not_liveness(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    running.checks["shutdown"] = "process is shutting down"
    for path, status in (("/readyz", 500), ("/readyz/shutdown", 500), ("/livez", 200), ("/livez/shutdown", 404)):
        async with client.get(path) as answer:
            assert answer.status == status, path


async def test_discovery_documents(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    async with client.get("/apis/apps/v1") as answer:
        document = await answer.json()
    names = [resource["name"] for resource in document["resources"]]
    assert {"deployments", "deployments/scale", "deployments/status", "replicasets"} <= set(names)
    accept = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}
    async with client.get("/apis", headers=accept) as answer:
        assert answer.headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        assert answer.headers["Cache-Control"] == "public"
        etag = answer.headers["Etag"]
        aggregated = json.loads(await answer.read())
    apps = next(item for item in aggregated["items"] if item["metadata"]["name"] == "apps")
    deployments = next(each for each in apps["versions"][0]["resources"] if each["resource"] == "deployments")
    assert {each["subresource"] for each in deployments["subresources"]} == {"scale", "status"}
    async with client.get("/apis", headers={**accept, "If-None-Match": etag}) as answer:
        assert answer.status == 304


async def test_openapi_documents(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi/v3") as answer:
        index = json.loads(await answer.read())
    link = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    async with client.get(link, headers={"Accept-Encoding": "gzip"}) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        document = json.loads(gzip.decompress(await answer.read()))
        etag = answer.headers["Etag"]
    assert document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"]
    async with client.get(link, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with client.get("/openapi/v3/apis/apps/v1?hash=OLD", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, link)
    async with client.get("/openapi/v2") as answer:
        document = json.loads(await answer.read())
    assert document["definitions"]["io.k8s.api.core.v1.Pod"]["properties"]["spec"]["$ref"]


async def test_metrics_count_requests(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    async with client.get(POD):
        pass
    headers = {"Content-Type": "application/apply-patch+yaml"}
    async with client.patch(POD, data=b"{}", headers=headers, params={"dryRun": "All"}):
        pass
    async with client.get("/livez"):
        pass
    async with client.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await answer.text()
    rest = 'component="apiserver",dry_run="{}",group="",resource="pods",scope="resource",subresource=""'
    assert f'apiserver_request_total{{code="200",{rest.format("")},verb="GET",version="v1"}} 1\n' in text
    assert f'apiserver_request_total{{code="200",{rest.format("All")},verb="APPLY",version="v1"}} 1\n' in text
    assert f'apiserver_request_duration_seconds_count{{{rest.format("")},verb="GET",version="v1"}} 1\n' in text
    sli = 'component="apiserver",group="",resource="pods",scope="resource",subresource="",verb="APPLY",version="v1"'
    assert f"apiserver_request_sli_duration_seconds_count{{{sli}}} 1\n" in text
    assert f'apiserver_response_sizes_bucket{{{sli.replace("APPLY", "GET")},le="1000"}} 1\n' in text
    assert 'apiserver_current_inflight_requests{request_kind="readOnly"} 0\n' in text
    assert 'subresource="/livez",verb="GET",version=""} 1\n' in text
    assert "kubernetes_build_info{build_date=" in text
    assert "process_cpu_seconds_total " in text
    async with client.get("/metrics/slis") as answer:
        assert 'kubernetes_healthcheck{name="etcd",type="livez"} 1\n' in await answer.text()


async def test_a_watch_is_a_long_running_request(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    started = asyncio.Event()

    class Waiting:
        async def run(self, sink: WatchSink) -> None:
            started.set()
            await asyncio.Event().wait()

    running.handler.respond = lambda request: Response(200, watch=Waiting())
    labels = 'component="apiserver",group="",resource="pods",scope="namespace",subresource="",verb="WATCH",version="v1"'
    metrics = running.fronts.metrics
    async with client.get(PODS, params={"watch": "1"}):
        await asyncio.wait_for(started.wait(), 30)
        assert f"apiserver_longrunning_requests{{{labels}}} 1\n".encode() in metrics.render()


class ScriptedWatch:
    """A watch whose events the test sends. `gone` is set when its run ends."""

    def __init__(self) -> None:
        self.sink: asyncio.Future[WatchSink] = asyncio.get_running_loop().create_future()
        self.end = asyncio.Event()
        self.gone = asyncio.Event()

    async def run(self, sink: WatchSink) -> None:
        self.sink.set_result(sink)
        try:
            await self.end.wait()
        finally:
            self.gone.set()


async def test_a_watch_streams_frames_as_they_come(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    watch = ScriptedWatch()
    running.handler.respond = lambda request: Response(watch=watch)
    async with client.get(PODS, params={"watch": "true", "resourceVersion": "7"}) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.headers["Content-Type"] == "application/json"
        (request,) = running.handler.requests
        assert (request.verb, request.options.resource_version) == ("watch", "7")
        encoding = request.watch_encoding
        sink = await watch.sink
        event = encoding.encode("ADDED", b'{"kind":"Pod"}')
        assert sink.deliver(encoding.frame([event, event]))
        for _ in range(2):
            assert await answer.content.readline() == b'{"type":"ADDED","object":{"kind":"Pod"}}\n'
        watch.end.set()
        assert await answer.content.read() == b""
    async with client.get("/version") as answer:  # the connection is still good
        assert answer.status == 200


async def test_a_watch_ends_when_its_client_goes(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    watch = ScriptedWatch()
    running.handler.respond = lambda request: Response(watch=watch)
    answer = await client.get(PODS, params={"watch": "1"})
    await watch.sink
    answer.close()
    async with asyncio.timeout(30):
        await watch.gone.wait()


async def test_a_slow_watcher_is_cut_off(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    watch = ScriptedWatch()
    running.handler.respond = lambda request: Response(watch=watch)
    answer = await client.get(PODS, params={"watch": "1"})
    sink = await watch.sink
    encoding = running.handler.requests[0].watch_encoding
    frame = encoding.frame([encoding.encode("ADDED", b'{"data":"%b"}' % (b"x" * 50_000))])
    for _ in range(1000):  # the client does not read: its and the kernel's buffers fill, then ours
        if not sink.deliver(frame):
            break
        await asyncio.sleep(0)
    else:
        pytest.fail("the watcher was never cut off")
    watch.end.set()
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await answer.read()


async def test_logs_stream(running: RunningFronts, client: aiohttp.ClientSession) -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b"one\n"
        yield b"two\n"

    running.handler.respond = lambda request: Response(stream=lines(), content_type="text/plain")
    async with client.get(f"{POD}/log", params={"tailLines": "2"}) as answer:
        assert answer.headers["Content-Type"] == "text/plain"
        assert await answer.read() == b"one\ntwo\n"
    log = running.handler.requests[0].options.log
    assert log is not None
    assert log.tail_lines == 2


async def test_a_handshake_that_hangs_does_not_keep_the_server_from_stopping(running: RunningFronts) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", running.fronts.https_port)
    try:
        async with asyncio.timeout(30):
            await running.fronts.stop()
    finally:
        writer.close()


async def test_watches_end_in_good_order_when_the_server_stops(
    running: RunningFronts, client: aiohttp.ClientSession
) -> None:
    watch = ScriptedWatch()
    running.handler.respond = lambda request: Response(watch=watch)
    async with client.get(PODS, params={"watch": "1"}) as answer:
        await watch.sink
        async with asyncio.timeout(30):
            await running.fronts.stop()
            assert await answer.content.read() == b""
    assert watch.gone.is_set()
