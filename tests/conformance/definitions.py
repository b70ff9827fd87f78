"""Custom resource definitions for tests, and a webhook that converts between their versions."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubeactors.pki.authority import Authority, Identity
from tests.conformance.clients import Http, eventually
from tests.conformance.cluster import Cluster

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str, schema: dict[str, Any] = OPEN, *, storage: bool = False, **fields: Any) -> dict[str, Any]:
    """A served version of a definition."""
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}, **fields}


def definition(group: str, plural: str, *versions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A definition of namespaced objects, whose kind is the plural's singular."""
    kind = plural.removesuffix("s").capitalize()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": list(versions),
            **spec,
        },
    }


def define(http: Http, body: dict[str, Any]) -> dict[str, Any]:
    """Create a definition and wait until it is established."""
    name = http.ok("POST", PATH, body)["metadata"]["name"]

    def established() -> dict[str, Any] | None:
        found: dict[str, Any] = http.ok("GET", f"{PATH}/{name}")
        conditions = found.get("status", {}).get("conditions") or ()
        return found if any(c["type"] == "Established" and c["status"] == "True" for c in conditions) else None

    found = eventually(established)
    assert found is not None
    return found


@dataclass
class Webhook:
    """A converting webhook: what a definition says of it, and the reviews that it was asked for."""

    conversion: dict[str, Any]
    reviews: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def converting(cluster: Cluster, convert: Callable[[dict[str, Any], str], None]) -> Iterator[Webhook]:
    """A webhook on this machine; `convert` changes an object to an apiVersion, in place but for the apiVersion."""
    pki = cluster.plane.pki
    authority = Authority.load(pki.ca, pki.directory / "ca.key")
    pair = authority.issue(Identity("webhook", names=("localhost",), server=True), datetime.now(UTC))
    files = cluster.plane.directory / "webhook.pem"
    files.write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files)
    reviews: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reviews.append(review)
            request = review["request"]
            for obj in request["objects"]:
                convert(obj, request["desiredAPIVersion"])
                obj["apiVersion"] = request["desiredAPIVersion"]
            review["response"] = {
                "uid": request["uid"],
                "result": {"status": "Success"},
                "convertedObjects": request["objects"],
            }
            del review["request"]
            body = json.dumps(review).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, name="webhook")
    thread.start()
    client = {
        "url": f"https://localhost:{server.server_port}/convert",
        "caBundle": base64.b64encode(pki.ca.read_bytes()).decode(),
    }
    try:
        webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
        yield Webhook({"strategy": "Webhook", "webhook": webhook}, reviews)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
