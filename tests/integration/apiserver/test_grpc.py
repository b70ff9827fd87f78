"""The gRPC API of a real API server, used as a program without the SDK does: the generated stub and nothing else."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import orjson
import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from kubeactors.pb.api.v1 import api_pb2 as pb
from kubeactors.pb.api.v1 import api_pb2_grpc
from tests.support.control_plane import ControlPlane, control_plane

pytestmark = pytest.mark.asyncio(loop_scope="module")

Stub = api_pb2_grpc.ResourcesStub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(plane: ControlPlane) -> AsyncIterator[Stub]:
    pki = plane.pki
    credentials = grpc.ssl_channel_credentials(
        pki.ca.read_bytes(), pki.key("admin").read_bytes(), pki.certificate("admin").read_bytes()
    )
    async with grpc.aio.secure_channel(plane.grpc_endpoint, credentials) as channel:
        yield api_pb2_grpc.ResourcesStub(channel)


@pytest_asyncio.fixture(loop_scope="module")
async def namespace(stub: Stub) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    await stub.Create(pb.CreateRequest(key=key("namespaces"), json=orjson.dumps({"metadata": {"name": name}})))
    return name


def key(resource: str, namespace: str = "", name: str = "", subresource: str = "", group: str = "") -> pb.ObjectKey:
    return pb.ObjectKey(
        group=group, version="v1", resource=resource, namespace=namespace, name=name, subresource=subresource
    )


def config_map(name: str, **data: str) -> bytes:
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def create(namespace: str, name: str, **options: Any) -> pb.CreateRequest:
    write = pb.WriteOptions(**options) if options else None
    return pb.CreateRequest(key=key("configmaps", namespace), json=config_map(name), options=write)


def deployment(name: str, replicas: int = 0) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


async def refused(call: Any) -> tuple[grpc.StatusCode, pb.Status, list[Any]]:
    """(the code, Kubernetes' Status, all details) of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailing = dict(caught.value.trailing_metadata() or ())
    found = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    assert found.code == caught.value.code().value[0]
    status = pb.Status()
    assert found.details[0].Unpack(status)
    assert orjson.loads(trailing["kubeactors-status-bin"])["reason"] == status.reason
    return caught.value.code(), status, list(found.details)


async def test_reads_in_every_form(stub: Stub, namespace: str) -> None:
    for name in ("a", "b", "c"):
        await stub.Create(create(namespace, name))
    one = key("configmaps", namespace, "a")
    partial = orjson.loads((await stub.Get(pb.GetRequest(key=one, form=pb.FORM_METADATA))).json)
    assert (partial["kind"], "data" in partial) == ("PartialObjectMetadata", False)
    table = orjson.loads((await stub.Get(pb.GetRequest(key=one, form=pb.FORM_TABLE))).json)
    assert table["rows"][0]["cells"][:2] == ["a", 0]

    every = key("configmaps", namespace)
    page = await stub.List(pb.ListRequest(key=every, limit=2))
    assert (len(page.items), page.remaining_item_count) == (2, 1)
    rest = pb.ListRequest(key=every, limit=2, **{"continue": getattr(page, "continue")})
    assert [orjson.loads(item)["metadata"]["name"] for item in (await stub.List(rest)).items] == ["c"]
    found = await stub.List(pb.ListRequest(key=every, form=pb.FORM_METADATA))
    assert {orjson.loads(item)["kind"] for item in found.items} == {"PartialObjectMetadata"}
    found = await stub.List(pb.ListRequest(key=every, form=pb.FORM_TABLE, include_object="None", limit=2))
    shown = orjson.loads(found.table)
    assert ([row["object"] for row in shown["rows"]], bool(getattr(found, "continue"))) == ([None, None], True)
    assert shown["columnDefinitions"][0]["name"] == "Name"
    named = await stub.List(pb.ListRequest(key=key("configmaps", namespace, "b")))
    assert len(named.items) == 1

    await stub.Delete(pb.DeleteRequest(key=one))
    exact = pb.ListRequest(key=every, resource_version=page.resource_version, resource_version_match="Exact")
    assert len((await stub.List(exact)).items) == 3
    code, status, _ = await refused(stub.List(pb.ListRequest(key=every, resource_version_match="Exact")))
    assert (code.name, status.code, status.details.causes[0].field) == ("INVALID_ARGUMENT", 422, "resourceVersionMatch")
    components = key("componentstatuses")
    for form in (pb.FORM_OBJECT, pb.FORM_METADATA):
        assert len((await stub.List(pb.ListRequest(key=components, form=form))).items) == 3
    assert (await stub.List(pb.ListRequest(key=components, form=pb.FORM_TABLE))).table
    code, status, _ = await refused(stub.Get(pb.GetRequest(key=key("pods", namespace, "p", "log"))))
    assert (status.code, status.reason) == (400, "BadRequest")


async def test_writes_and_their_options(stub: Stub, namespace: str) -> None:
    one = key("configmaps", namespace, "a")
    made = await stub.Create(create(namespace, "a", dry_run=True))
    assert made.code == 201
    assert (await refused(stub.Get(pb.GetRequest(key=one))))[0] is grpc.StatusCode.NOT_FOUND
    made = await stub.Create(create(namespace, "a", form=pb.FORM_NONE))
    assert (made.code, made.json) == (201, b"")

    strange = orjson.dumps({"metadata": {"name": "b"}, "dta": {}})
    in_namespace = key("configmaps", namespace)
    made = await stub.Create(pb.CreateRequest(key=in_namespace, json=strange))
    assert list(made.warnings) == ['unknown field "dta"']
    strict = pb.WriteOptions(field_validation="Strict")
    code, status, _ = await refused(stub.Create(pb.CreateRequest(key=in_namespace, json=strange, options=strict)))
    assert (code.name, status.reason) == ("INVALID_ARGUMENT", "BadRequest")

    for content_type, patch in (
        ("application/merge-patch+json", b'{"data":{"m":"1"}}'),
        ("application/strategic-merge-patch+json", b'{"data":{"s":"1"}}'),
        ("application/json-patch+json", b'[{"op":"add","path":"/data/j","value":"1"}]'),
        ("application/apply-patch+yaml", b"apiVersion: v1\nkind: ConfigMap\ndata: {z: '1'}\n"),
    ):
        options = pb.WriteOptions(field_manager="tester")
        changed = await stub.Patch(pb.PatchRequest(key=one, content_type=content_type, patch=patch, options=options))
    assert orjson.loads(changed.json)["data"] == {"m": "1", "s": "1", "j": "1", "z": "1"}
    other = pb.PatchRequest(
        key=one,
        content_type="application/apply-patch+yaml",
        patch=b'{"apiVersion":"v1","kind":"ConfigMap","data":{"m":"2"}}',
        options=pb.WriteOptions(field_manager="other"),
    )
    code, status, _ = await refused(stub.Patch(other))
    assert (code.name, status.reason, status.details.causes[0].field) == ("ABORTED", "Conflict", ".data.m")
    other.options.force = True
    assert orjson.loads((await stub.Patch(other)).json)["data"]["m"] == "2"

    held = b'{"metadata":{"finalizers":["example.com/hold"]}}'
    merge = "application/merge-patch+json"
    uid = orjson.loads((await stub.Patch(pb.PatchRequest(key=one, content_type=merge, patch=held))).json)["metadata"][
        "uid"
    ]
    code, status, _ = await refused(stub.Delete(pb.DeleteRequest(key=one, how=pb.DeleteOptions(uid="another"))))
    assert (code.name, status.code) == ("ABORTED", 409)
    how = pb.DeleteOptions(uid=uid, propagation_policy="Foreground", grace_period_seconds=0)
    deleting = orjson.loads((await stub.Delete(pb.DeleteRequest(key=one, how=how))).json)["metadata"]
    assert "deletionTimestamp" in deleting
    code, status, _ = await refused(
        stub.Delete(pb.DeleteRequest(key=one, how=pb.DeleteOptions(propagation_policy="Sideways")))
    )
    assert (status.code, status.details.causes[0].field) == (422, "propagationPolicy")
    gone = await stub.DeleteCollection(pb.DeleteCollectionRequest(key=in_namespace, limit=1))
    assert len(orjson.loads(gone.json)["items"]) == 1


async def test_subresources(stub: Stub, namespace: str) -> None:
    apps = key("deployments", namespace, group="apps")
    await stub.Create(pb.CreateRequest(key=apps, json=orjson.dumps(deployment("web"))))
    scale = key("deployments", namespace, "web", "scale", "apps")
    patch = pb.PatchRequest(key=scale, content_type="application/merge-patch+json", patch=b'{"spec":{"replicas":3}}')
    assert orjson.loads((await stub.Patch(patch)).json)["spec"]["replicas"] == 3
    status = key("deployments", namespace, "web", "status", "apps")
    patch = pb.PatchRequest(key=status, content_type="application/merge-patch+json", patch=b'{"status":{"replicas":2}}')
    assert orjson.loads((await stub.Patch(patch)).json)["status"]["replicas"] == 2

    spec = {"schedulerName": "none", "containers": [{"name": "c", "image": "i"}]}
    pods = key("pods", namespace)
    await stub.Create(pb.CreateRequest(key=pods, json=orjson.dumps({"metadata": {"name": "p"}, "spec": spec})))
    bound = await stub.Create(
        pb.CreateRequest(key=key("pods", namespace, "p", "binding"), json=b'{"target":{"kind":"Node","name":"n1"}}')
    )
    assert bound.code == 201
    debugger = b'{"spec":{"ephemeralContainers":[{"name":"d","image":"i"}]}}'
    strategic = "application/strategic-merge-patch+json"
    part = key("pods", namespace, "p", "ephemeralcontainers")
    await stub.Patch(pb.PatchRequest(key=part, content_type=strategic, patch=debugger))
    larger = b'{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"1"}}}]}}'
    part = key("pods", namespace, "p", "resize")
    code, _, _ = await refused(stub.Patch(pb.PatchRequest(key=part, content_type=strategic, patch=larger)))
    assert code.name == "INVALID_ARGUMENT"  # the pod's class would change
    evicted = await stub.Create(
        pb.CreateRequest(key=key("pods", namespace, "p", "eviction"), json=b'{"metadata":{"name":"p"}}')
    )
    assert orjson.loads(evicted.json)["status"] == "Success"
    account = key("serviceaccounts", namespace)
    await stub.Create(pb.CreateRequest(key=account, json=b'{"metadata":{"name":"robot"}}'))
    token = await stub.Create(
        pb.CreateRequest(key=key("serviceaccounts", namespace, "robot", "token"), json=b'{"spec":{}}')
    )
    assert orjson.loads(token.json)["status"]["token"]


async def test_failures_in_googles_words(stub: Stub, namespace: str) -> None:
    wrong = deployment("web", replicas=-1)
    wrong["spec"]["template"]["spec"]["containers"] = [
        {"name": f"Bad_{number}", "image": "", "ports": [{"containerPort": 0}]} for number in range(200)
    ]
    apps = key("deployments", namespace, group="apps")
    code, status, details = await refused(stub.Create(pb.CreateRequest(key=apps, json=orjson.dumps(wrong))))
    assert (code.name, status.code, status.reason) == ("INVALID_ARGUMENT", 422, "Invalid")
    info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert details[1].Unpack(info)
    assert details[2].Unpack(fields)
    assert (info.reason, info.domain, dict(info.metadata)["name"]) == ("Invalid", "kubernetes.io", "web")
    assert fields.field_violations[0].field == status.details.causes[0].field == "spec.replicas"
    # In a batch nothing is left out.
    reply = await stub.Batch(
        pb.BatchRequest(operations=[pb.BatchOperation(create=pb.CreateRequest(key=apps, json=orjson.dumps(wrong)))])
    )
    assert len(reply.results[0].failure.details.causes) > 400


async def test_a_batch(stub: Stub, namespace: str) -> None:
    def patch(name: str, value: int) -> pb.BatchOperation:
        change = orjson.dumps({"data": {"n": str(value)}})
        merge = "application/merge-patch+json"
        return pb.BatchOperation(
            patch=pb.PatchRequest(key=key("configmaps", namespace, name), content_type=merge, patch=change)
        )

    many = [pb.BatchOperation(create=create(namespace, f"m{number}")) for number in range(50)]
    # Those on one object keep their order, whatever else is in the batch.
    many += [patch("m7", number) for number in range(20)]
    many += [pb.BatchOperation(create=create(namespace, "m3")), pb.BatchOperation()]
    reply = await stub.Batch(pb.BatchRequest(operations=many))
    assert len(reply.results) == 72
    assert [orjson.loads(result.object.json)["data"]["n"] for result in reply.results[50:70]] == [
        str(number) for number in range(20)
    ]
    assert reply.failures == 2
    assert (reply.results[70].failure.reason, reply.results[71].failure.code) == ("AlreadyExists", 400)

    removal = pb.DeleteRequest(key=key("configmaps", namespace, "m7"), form=pb.FORM_NONE)
    inside = f"{namespace}-inside"
    made = pb.CreateRequest(key=key("namespaces"), json=orjson.dumps({"metadata": {"name": inside}}))
    ordered = [
        pb.BatchOperation(create=made),
        pb.BatchOperation(create=create(inside, "x", form=pb.FORM_METADATA)),
        pb.BatchOperation(delete=removal),
        pb.BatchOperation(delete=removal),
        pb.BatchOperation(create=create(inside, "y")),
    ]
    reply = await stub.Batch(pb.BatchRequest(operations=ordered, ordered=True, stop_on_failure=True))
    assert [result.WhichOneof("result") for result in reply.results] == [
        "object",
        "object",
        "object",
        "failure",
        "skipped",
    ]
    assert orjson.loads(reply.results[1].object.json)["kind"] == "PartialObjectMetadata"
    assert reply.results[3].failure.reason == "NotFound"
    code, status, _ = await refused(stub.Batch(pb.BatchRequest(operations=[pb.BatchOperation()] * 1001)))
    assert (code.name, status.code) == ("RESOURCE_EXHAUSTED", 413)


async def test_discovery(stub: Stub) -> None:
    found = await stub.Discover(pb.DiscoverRequest())
    known = {(each.group, each.version, each.resource): each for each in found.resources}
    web = known["apps", "v1", "deployments"]
    assert (web.kind, web.namespaced, web.preferred, list(web.short_names)) == ("Deployment", True, True, ["deploy"])
    assert {each.name for each in web.subresources} == {"status", "scale"}
    assert found.kubernetes_version.startswith("v1.37")
    document = orjson.loads((await stub.OpenApi(pb.OpenApiRequest(group="apps", version="v1"))).json)
    assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
    code, _, _ = await refused(stub.OpenApi(pb.OpenApiRequest(group="no.such", version="v1")))
    assert code is grpc.StatusCode.NOT_FOUND


async def test_a_client_that_knows_the_server_by_reflection_only(plane: ControlPlane) -> None:
    """As grpcurl does it."""
    pki = plane.pki
    credentials = grpc.ssl_channel_credentials(
        pki.ca.read_bytes(), pki.key("admin").read_bytes(), pki.certificate("admin").read_bytes()
    )

    def ask() -> list[str]:
        with grpc.secure_channel(plane.grpc_endpoint, credentials) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            assert "kubeactors.api.v1.Resources" in database.get_services()
            service = DescriptorPool(database).FindServiceByName("kubeactors.api.v1.Resources")
            method = service.methods_by_name["List"]
            request = json_format.ParseDict(
                {"key": {"version": "v1", "resource": "namespaces"}}, GetMessageClass(method.input_type)()
            )
            call = channel.unary_unary(
                f"/{service.full_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            return [orjson.loads(item)["metadata"]["name"] for item in call(request, timeout=30).items]

    assert {"default", "kube-system"} <= set(await asyncio.to_thread(ask))


async def test_tokens_and_impersonation(plane: ControlPlane, stub: Stub, namespace: str) -> None:
    await stub.Create(pb.CreateRequest(key=key("serviceaccounts", namespace), json=b'{"metadata":{"name":"robot"}}'))
    answer = await stub.Create(
        pb.CreateRequest(key=key("serviceaccounts", namespace, "robot", "token"), json=b'{"spec":{}}')
    )
    token = orjson.loads(answer.json)["status"]["token"]
    review = pb.CreateRequest(
        key=pb.ObjectKey(group="authentication.k8s.io", version="v1", resource="selfsubjectreviews"), json=b"{}"
    )
    credentials = grpc.ssl_channel_credentials(plane.pki.ca.read_bytes())
    async with grpc.aio.secure_channel(plane.grpc_endpoint, credentials) as channel:
        robot = api_pb2_grpc.ResourcesStub(channel)
        metadata = [("authorization", f"Bearer {token}")]
        me = orjson.loads((await robot.Create(review, metadata=metadata)).json)["status"]["userInfo"]
        assert me["username"] == f"system:serviceaccount:{namespace}:robot"
        code, status, _ = await refused(robot.Create(review))
        assert (code.name, status.reason) == ("UNAUTHENTICATED", "Unauthorized")
    metadata = [("impersonate-user", "jane"), ("impersonate-group", "dev")]
    me = orjson.loads((await stub.Create(review, metadata=metadata)).json)["status"]["userInfo"]
    assert (me["username"], me["groups"]) == ("jane", ["dev", "system:authenticated"])


class Watching:
    """What has come on a WatchMany stream, by watch."""

    def __init__(self, stub: Stub) -> None:
        self.call = stub.WatchMany()
        self.events: dict[int, list[tuple[str, Any]]] = {}
        self.started: set[int] = set()
        self.ended: dict[int, pb.WatchEnded] = {}

    async def start(self, number: int, window: int = 0, **watch: Any) -> None:
        start = pb.StartWatch(id=number, watch=pb.WatchRequest(**watch), window=window)
        await self.call.write(pb.WatchManyRequest(start=start))

    async def until(self, met: Any) -> None:
        async with asyncio.timeout(30):
            while not met():
                reply = await self.call.read()
                assert reply is not grpc.aio.EOF
                for update in reply.updates:
                    assert update.id not in self.ended
                    if update.HasField("started"):
                        self.started.add(update.id)
                    found = [(event.type, orjson.loads(event.object)) for event in update.events]
                    self.events.setdefault(update.id, []).extend(found)
                    if update.HasField("ended"):
                        self.ended[update.id] = update.ended

    def names(self, number: int) -> list[tuple[str, str]]:
        return [(type_, obj["metadata"].get("name", "")) for type_, obj in self.events.get(number, [])]


async def test_many_watches_on_one_stream(stub: Stub, namespace: str) -> None:
    await stub.Create(create(namespace, "a"))
    watching = Watching(stub)
    maps = key("configmaps", namespace)
    everything = {"send_initial_events": True, "resource_version_match": "NotOlderThan", "allow_watch_bookmarks": True}
    await watching.start(1, key=maps, **everything)
    await watching.start(2, key=key("secrets", namespace), form=pb.FORM_METADATA)
    await watching.start(3, key=key("deployments", namespace, group="apps"))
    await watching.start(4, key=key("configmaps", namespace, "b"))
    await watching.start(5, key=maps, resource_version="1")
    await watching.start(6, key=key("widgets", namespace))
    await watching.start(7, key=maps, label_selector="a in (")
    await watching.until(lambda: len(watching.started) == 5 and set(watching.ended) == {5, 6, 7})
    assert {n: watching.ended[n].failure.code for n in (5, 6, 7)} == {5: 410, 6: 404, 7: 400}
    await watching.until(lambda: len(watching.events.get(1, [])) >= 2)
    assert watching.names(1) == [("ADDED", "a"), ("BOOKMARK", "")]
    assert watching.events[1][1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}

    secret = orjson.dumps({"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    await stub.Batch(
        pb.BatchRequest(
            operations=[
                pb.BatchOperation(create=create(namespace, "b")),
                pb.BatchOperation(create=pb.CreateRequest(key=key("secrets", namespace), json=secret)),
                pb.BatchOperation(
                    create=pb.CreateRequest(
                        key=key("deployments", namespace, group="apps"), json=orjson.dumps(deployment("web"))
                    )
                ),
            ]
        )
    )
    await watching.until(lambda: all(watching.events.get(n) for n in (2, 3, 4)) and len(watching.events[1]) == 3)
    assert (watching.names(2), watching.names(3)) == ([("ADDED", "s")], [("ADDED", "web")])
    assert (watching.names(4), watching.names(1)[2]) == ([("ADDED", "b")], ("ADDED", "b"))
    assert "data" not in watching.events[2][0][1]

    # A watch that was stopped says so and nothing more; its number may be used again.
    await watching.call.write(pb.WatchManyRequest(stop=pb.StopWatch(id=1)))
    await watching.until(lambda: 1 in watching.ended)
    assert not watching.ended[1].HasField("failure")
    await stub.Create(create(namespace, "c"))
    del watching.ended[1], watching.events[1]
    await watching.start(1, key=maps)
    await watching.until(lambda: len(watching.events.get(1, [])) == 3)
    assert watching.names(1) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]

    # When the client has ended its side, the stream lasts as long as its last watch.
    await watching.start(8, key=maps, timeout_seconds=1)
    for number in (1, 2, 3, 4):
        await watching.call.write(pb.WatchManyRequest(stop=pb.StopWatch(id=number)))
    await watching.call.done_writing()
    await watching.until(lambda: {1, 2, 3, 4, 8} <= set(watching.ended))
    assert not watching.ended[8].HasField("failure")
    assert await watching.call.read() is grpc.aio.EOF
    assert await watching.call.code() is grpc.StatusCode.OK


async def test_a_watch_waits_for_its_clients_acknowledgement(stub: Stub, namespace: str) -> None:
    watching = Watching(stub)
    await watching.start(1, window=1, key=key("configmaps", namespace))
    await watching.start(2, key=key("secrets", namespace))
    await watching.until(lambda: watching.started == {1, 2})
    for name in ("a", "b"):
        await stub.Create(create(namespace, name))
    await watching.until(lambda: watching.events.get(1))
    secret = orjson.dumps({"metadata": {"name": "s"}})
    await stub.Create(create(namespace, "c"))
    await stub.Create(pb.CreateRequest(key=key("secrets", namespace), json=secret))
    await watching.until(lambda: watching.events.get(2))
    assert ("ADDED", "c") not in watching.names(1)
    await watching.call.write(pb.WatchManyRequest(acknowledge=pb.AcknowledgeEvents(id=1, updates=1)))
    await watching.until(lambda: len(watching.events[1]) > 1)
    await watching.call.write(pb.WatchManyRequest(acknowledge=pb.AcknowledgeEvents(id=1, updates=5)))
    await watching.until(lambda: len(watching.events[1]) == 3)
    assert watching.names(1) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
    watching.call.cancel()


@pytest.mark.parametrize(
    "message", [pb.WatchManyRequest(), pb.WatchManyRequest(start=pb.StartWatch(id=1, watch=pb.WatchRequest()))]
)
async def test_commands_that_make_no_sense_end_the_stream(
    stub: Stub, namespace: str, message: pb.WatchManyRequest
) -> None:
    watching = Watching(stub)
    await watching.start(1, key=key("configmaps", namespace))
    await watching.call.write(message)

    async def read_all() -> None:
        while await watching.call.read() is not grpc.aio.EOF:
            pass

    assert (await refused(read_all()))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_kinds_that_were_defined_a_moment_ago(stub: Stub, namespace: str) -> None:
    definition = {
        "metadata": {"name": "gadgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"plural": "gadgets", "kind": "Gadget"},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "deprecated": True,
                 "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "string"}}}}}
            ],
        },
    }  # fmt: skip
    definitions = key("customresourcedefinitions", group="apiextensions.k8s.io")
    gadget = b'{"apiVersion":"example.com/v1","kind":"Gadget","metadata":{"name":"g"},"spec":"x"}'
    reply = await stub.Batch(
        pb.BatchRequest(
            operations=[
                pb.BatchOperation(create=pb.CreateRequest(key=definitions, json=orjson.dumps(definition))),
                pb.BatchOperation(
                    create=pb.CreateRequest(key=key("gadgets", namespace, group="example.com"), json=gadget)
                ),
            ],
            ordered=True,
        )
    )
    assert reply.failures == 0, reply
    assert list(reply.results[1].object.warnings) == ["example.com/v1 Gadget is deprecated"]
