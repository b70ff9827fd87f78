"""Write kubeactors/api/protobuf/messages.json: how Kubernetes' API types look in protobuf.

    python protos/kubernetes_messages.py .venv/bin/kubectl > kubeactors/api/protobuf/messages.json

Kubernetes publishes field numbers as tags of Go structs (`protobuf:"bytes,2,opt,name=spec"`), which a Go binary keeps
for reflection. kubectl holds every built-in type, so the numbers are read from there (`go_types.py`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from go_types import (
    BOOL,
    FIRST_INT,
    LAST_INT,
    MAP,
    POINTER,
    SLICE,
    SPECIAL,
    STRING,
    STRUCT,
    UINT8,
    GoBinary,
    api_structs,
    definition,
    json_name,
)

_AGGREGATOR = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1"
#: Of kube-aggregator's generated.proto: kubectl does not hold these types.
ELSEWHERE: dict[str, dict[str, list[Any]]] = {
    f"{_AGGREGATOR}.APIService": {
        "1": ["metadata", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", 0],
        "2": ["spec", f"{_AGGREGATOR}.APIServiceSpec", 0],
        "3": ["status", f"{_AGGREGATOR}.APIServiceStatus", 0],
    },
    f"{_AGGREGATOR}.APIServiceCondition": {
        "1": ["type", "string", 1],
        "2": ["status", "string", 1],
        "3": ["lastTransitionTime", "time", 0],
        "4": ["reason", "string", 0],
        "5": ["message", "string", 0],
    },
    f"{_AGGREGATOR}.APIServiceSpec": {
        "1": ["service", f"{_AGGREGATOR}.ServiceReference", 1],
        "2": ["group", "string", 0],
        "3": ["version", "string", 0],
        "4": ["insecureSkipTLSVerify", "bool", 0],
        "5": ["caBundle", "bytes", 0],
        "7": ["groupPriorityMinimum", "int", 1],
        "8": ["versionPriority", "int", 1],
    },
    f"{_AGGREGATOR}.APIServiceStatus": {"1": ["conditions", f"[{_AGGREGATOR}.APIServiceCondition", 0]},
    f"{_AGGREGATOR}.ServiceReference": {
        "1": ["namespace", "string", 0],
        "2": ["name", "string", 0],
        "3": ["port", "int", 1],
    },
}


def code(binary: GoBinary, type_: int) -> str:
    """How a value is written: see kubeactors/api/protobuf/decode.py."""
    kind, identity = binary.kind(type_), binary.identity(type_)
    if kind == POINTER:
        return code(binary, binary.element(type_))
    if identity in SPECIAL:
        return SPECIAL[identity]
    if kind == STRING:
        return "string"
    if kind == BOOL:
        return "bool"
    if FIRST_INT <= kind <= LAST_INT:
        return "int"
    if kind == STRUCT:
        return definition(*identity)
    if kind == MAP:
        return "{" + code(binary, binary.element(type_))
    if kind == SLICE and binary.kind(binary.element(type_)) == UINT8:
        return "bytes"
    if kind == SLICE:
        # A slice type with a name of its own is a message with one field, if it is marshalled by itself.
        named = identity[0] and identity[1] in ("ExtraValue", "Verbs")
        return "items" if named else "[" + code(binary, binary.element(type_))
    raise ValueError(f"{identity}: kind {kind}")


def message(binary: GoBinary, struct_type: int) -> dict[str, list[Any]]:
    """Field number → [name in JSON (empty: the fields are the parent's own), code, whether a zero value counts]."""
    found: dict[str, list[Any]] = {}
    for tag, embedded, type_ in binary.fields(struct_type):
        number = re.search(r'protobuf:"\w+,(\d+)', tag)
        if number is None:
            continue
        name, options = json_name(tag)
        if name == "-" or not (name or embedded):
            continue
        omits = "omitempty" in options or "omitzero" in options
        counts = binary.kind(type_) == POINTER or not omits
        found[number.group(1)] = [name, code(binary, type_), int(counts)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    binary = GoBinary(parser.parse_args().binary.read_bytes())
    messages = {name: message(binary, struct_type) for name, struct_type in api_structs(binary)}
    messages |= ELSEWHERE
    lines = (f"{json.dumps(name)}:{json.dumps(messages[name], separators=(',', ':'))}" for name in sorted(messages))
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
