"""Pure helpers of the in-memory API."""

from __future__ import annotations

import copy
from typing import Any

import orjson

from kubeactors.api.kinds import Kind
from kubeactors.api.patch import apply_patch
from kubeactors.api.schema.types import struct
from kubeactors.client.calls import Call, ObjectReply

Object = dict[str, Any]


def verb_of(call: Call) -> str:
    return type(call).__name__.removesuffix("Call").lower()


def key_of(kind: Kind, namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if kind.namespaced else name


def patched(content_type: str, current: Object, patch: bytes, kind: Kind) -> Object:
    schema = struct(kind.schema) if kind.schema else None
    return apply_patch(content_type, copy.deepcopy(current), patch, schema)


def has_grace(kind: Kind, obj: Object) -> bool:
    return kind.plural == "pods" and bool(obj["metadata"].get("deletionGracePeriodSeconds"))


def reply_of(obj: Object) -> ObjectReply:
    return ObjectReply(orjson.dumps(obj))


def scale_of(obj: Object) -> Object:
    labels = obj.get("spec", {}).get("selector", {}).get("matchLabels") or {}
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: metadata[field] for field in kept if field in metadata},
        "spec": {"replicas": obj.get("spec", {}).get("replicas", 0)},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }
