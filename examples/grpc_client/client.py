"""A client of the gRPC API that has nothing but the .proto: no SDK, only the generated stubs and grpcio.

    python client.py --endpoint 10.0.0.1:6444 --ca ca.crt --cert client.crt --key client.key

It writes a ConfigMap and a Deployment with one batch, sees Deployment, ReplicaSets and pods come up through one stream
of watches, reads a pod's log, and deletes everything with another batch.
"""

from __future__ import annotations

import argparse
import importlib
import json
import queue
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "protos" / "kubeactors" / "api" / "v1" / "api.proto"
PATIENCE = 60.0


def stubs(proto: Path) -> tuple[Any, Any]:
    """The modules that protoc makes of the .proto. A program would commit them; here they are made anew."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = [f"-I{proto.parent}", f"--python_out={directory}", f"--grpc_python_out={directory}", proto.name]
        if protoc.main(["protoc", *arguments]):
            raise SystemExit(f"{proto} cannot be compiled")
        sys.path.insert(0, directory)
        try:
            return importlib.import_module("api_pb2"), importlib.import_module("api_pb2_grpc")
        finally:
            sys.path.remove(directory)


pb, pb_grpc = stubs(PROTO)


def key(group: str, resource: str, namespace: str, name: str = "") -> Any:
    """All resources of this example are of version v1."""
    return pb.ObjectKey(group=group, version="v1", resource=resource, namespace=namespace, name=name)


def explain(error: grpc.RpcError) -> str:
    """What the server said: Kubernetes' Status is in the trailing metadata."""
    for name, value in error.trailing_metadata() or ():
        if name == "kubeactors-status-bin":
            status = json.loads(value)
            causes = (status.get("details") or {}).get("causes") or []
            fields = "".join(f"\n  {cause.get('field')}: {cause.get('message')}" for cause in causes)
            return f"{status['code']} {status.get('reason')}: {status.get('message')}{fields}"
    return f"{error.code().name}: {error.details()}"


class Watches:
    """Several watches on one stream."""

    def __init__(self, stub: Any) -> None:
        self._commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._call = stub.WatchMany(iter(self._commands.get, None), timeout=PATIENCE)
        self._names: dict[int, str] = {}

    def start(self, name: str, request: Any) -> None:
        number = len(self._names) + 1
        self._names[number] = name
        self._commands.put(pb.WatchManyRequest(start=pb.StartWatch(id=number, watch=request)))

    def events(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(which watch, the event's type, the object); the type of a watch that stands now is STARTED."""
        for reply in self._call:
            for update in reply.updates:
                name = self._names[update.id]
                if update.HasField("started"):
                    yield name, "STARTED", {}
                for event in update.events:
                    yield name, event.type, json.loads(event.object)
                if update.HasField("ended"):
                    raise SystemExit(
                        f"the watch of {name} ended: {update.ended.failure.message or 'its time was over'}"
                    )

    def close(self) -> None:
        self._commands.put(None)
        self._call.cancel()


def apply(resource_key: Any, document: dict[str, Any]) -> Any:
    """Server-side apply: makes the object, or brings it to what the document says."""
    options = pb.WriteOptions(field_manager="grpc-example", form=pb.FORM_NONE)
    return pb.BatchOperation(
        patch=pb.PatchRequest(
            key=resource_key,
            content_type="application/apply-patch+yaml",
            patch=json.dumps(document).encode(),
            options=options,
        )
    )


def run_batch(stub: Any, operations: list[Any]) -> None:
    reply = stub.Batch(pb.BatchRequest(operations=operations, ordered=True, stop_on_failure=True), timeout=PATIENCE)
    for result in reply.results:
        if result.HasField("failure"):
            raise SystemExit(f"{result.failure.code} {result.failure.reason}: {result.failure.message}")


def run(stub: Any, namespace: str, deployment: dict[str, Any]) -> None:
    name, labels = deployment["metadata"]["name"], deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{label}={value}" for label, value in labels.items())
    discovered = stub.Discover(pb.DiscoverRequest(), timeout=PATIENCE)
    print(f"Kubernetes {discovered.kubernetes_version} with {len(discovered.resources)} resources", flush=True)

    watches = Watches(stub)
    kinds = {"deployments": "apps", "replicasets": "apps", "pods": ""}
    for resource, group in kinds.items():
        watches.start(resource, pb.WatchRequest(key=key(group, resource, namespace), label_selector=selector))

    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"GREETING": "hello"}}
    config_map, workload = key("", "configmaps", namespace, name), key("apps", "deployments", namespace, name)
    standing: set[str] = set()
    pods: set[str] = set()
    for resource, type_, obj in watches.events():
        if type_ == "STARTED":
            standing.add(resource)
            if len(standing) == len(kinds):
                run_batch(stub, [apply(config_map, settings), apply(workload, deployment)])
            continue
        status = obj.get("status") or {}
        shown = status.get("phase") or f"{status.get('readyReplicas', 0)} of {obj['spec'].get('replicas', 1)} ready"
        print(f"{type_:<9}{resource}/{obj['metadata']['name']}: {shown}", flush=True)
        if resource == "pods" and type_ != "DELETED":
            pods.add(obj["metadata"]["name"])
        if resource == "deployments" and status.get("availableReplicas") == deployment["spec"]["replicas"]:
            break
    watches.close()

    for pod in sorted(pods):
        log = stub.Logs(pb.LogsRequest(namespace=namespace, pod=pod), timeout=PATIENCE)
        print(f"log of {pod}: {b''.join(chunk.data for chunk in log).decode().strip()}", flush=True)
    how = pb.DeleteOptions(propagation_policy="Background")
    run_batch(stub, [pb.BatchOperation(delete=pb.DeleteRequest(key=each, how=how)) for each in (workload, config_map)])
    print("deleted", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True, help="host:port of the gRPC API")
    parser.add_argument("--ca", type=Path, required=True, help="the cluster's certificate authority")
    parser.add_argument("--cert", type=Path, required=True, help="the client's certificate")
    parser.add_argument("--key", type=Path, required=True, help="the client's key")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--manifest", type=Path, default=Path(__file__).with_name("deployment.json"))
    options = parser.parse_args()
    credentials = grpc.ssl_channel_credentials(
        options.ca.read_bytes(), options.key.read_bytes(), options.cert.read_bytes()
    )
    with grpc.secure_channel(options.endpoint, credentials) as channel:
        try:
            run(pb_grpc.ResourcesStub(channel), options.namespace, json.loads(options.manifest.read_text()))
        except grpc.RpcError as error:
            raise SystemExit(explain(error)) from error


if __name__ == "__main__":
    main()
