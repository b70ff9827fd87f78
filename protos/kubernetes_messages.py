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
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
#: Of kube-aggregator's and apiextensions-apiserver's generated.proto: kubectl does not hold these types.
ELSEWHERE: dict[str, dict[str, list[Any]]] = {
    f"{_AGGREGATOR}.APIServiceList": {
        "1": ["metadata", f"{_META}.ListMeta", 0],
        "2": ["items", f"[{_AGGREGATOR}.APIService", 1],
    },
    f"{_EXTENSIONS}.CustomResourceColumnDefinition": {
        "1": ["name", "string", 1],
        "2": ["type", "string", 1],
        "3": ["format", "string", 0],
        "4": ["description", "string", 0],
        "5": ["priority", "int", 0],
        "6": ["jsonPath", "string", 1],
    },
    f"{_EXTENSIONS}.CustomResourceConversion": {
        "1": ["strategy", "string", 1],
        "2": ["webhook", f"{_EXTENSIONS}.WebhookConversion", 1],
    },
    f"{_EXTENSIONS}.CustomResourceDefinition": {
        "1": ["metadata", f"{_META}.ObjectMeta", 0],
        "2": ["spec", f"{_EXTENSIONS}.CustomResourceDefinitionSpec", 1],
        "3": ["status", f"{_EXTENSIONS}.CustomResourceDefinitionStatus", 0],
    },
    f"{_EXTENSIONS}.CustomResourceDefinitionCondition": {
        "1": ["type", "string", 1],
        "2": ["status", "string", 1],
        "3": ["lastTransitionTime", "time", 0],
        "4": ["reason", "string", 0],
        "5": ["message", "string", 0],
        "6": ["observedGeneration", "int", 0],
    },
    f"{_EXTENSIONS}.CustomResourceDefinitionList": {
        "1": ["metadata", f"{_META}.ListMeta", 0],
        "2": ["items", f"[{_EXTENSIONS}.CustomResourceDefinition", 1],
    },
    f"{_EXTENSIONS}.CustomResourceDefinitionNames": {
        "1": ["plural", "string", 1],
        "2": ["singular", "string", 0],
        "3": ["shortNames", "[string", 0],
        "4": ["kind", "string", 1],
        "5": ["listKind", "string", 0],
        "6": ["categories", "[string", 0],
    },
    f"{_EXTENSIONS}.CustomResourceDefinitionSpec": {
        "1": ["group", "string", 1],
        "3": ["names", f"{_EXTENSIONS}.CustomResourceDefinitionNames", 1],
        "4": ["scope", "string", 1],
        "7": ["versions", f"[{_EXTENSIONS}.CustomResourceDefinitionVersion", 1],
        "9": ["conversion", f"{_EXTENSIONS}.CustomResourceConversion", 1],
        "10": ["preserveUnknownFields", "bool", 0],
    },
    f"{_EXTENSIONS}.CustomResourceDefinitionStatus": {
        "1": ["conditions", f"[{_EXTENSIONS}.CustomResourceDefinitionCondition", 1],
        "2": ["acceptedNames", f"{_EXTENSIONS}.CustomResourceDefinitionNames", 1],
        "3": ["storedVersions", "[string", 1],
        "4": ["observedGeneration", "int", 0],
    },
    f"{_EXTENSIONS}.CustomResourceDefinitionVersion": {
        "1": ["name", "string", 1],
        "2": ["served", "bool", 1],
        "3": ["storage", "bool", 1],
        "7": ["deprecated", "bool", 0],
        "8": ["deprecationWarning", "string", 1],
        "4": ["schema", f"{_EXTENSIONS}.CustomResourceValidation", 1],
        "5": ["subresources", f"{_EXTENSIONS}.CustomResourceSubresources", 1],
        "6": ["additionalPrinterColumns", f"[{_EXTENSIONS}.CustomResourceColumnDefinition", 0],
        "9": ["selectableFields", f"[{_EXTENSIONS}.SelectableField", 0],
    },
    f"{_EXTENSIONS}.CustomResourceSubresourceScale": {
        "1": ["specReplicasPath", "string", 1],
        "2": ["statusReplicasPath", "string", 1],
        "3": ["labelSelectorPath", "string", 1],
    },
    f"{_EXTENSIONS}.CustomResourceSubresourceStatus": {},
    f"{_EXTENSIONS}.CustomResourceSubresources": {
        "1": ["status", f"{_EXTENSIONS}.CustomResourceSubresourceStatus", 1],
        "2": ["scale", f"{_EXTENSIONS}.CustomResourceSubresourceScale", 1],
    },
    f"{_EXTENSIONS}.CustomResourceValidation": {"1": ["openAPIV3Schema", f"{_EXTENSIONS}.JSONSchemaProps", 1]},
    f"{_EXTENSIONS}.ExternalDocumentation": {"1": ["description", "string", 0], "2": ["url", "string", 0]},
    f"{_EXTENSIONS}.JSONSchemaProps": {
        "1": ["id", "string", 0],
        "2": ["$schema", "string", 0],
        "3": ["$ref", "string", 1],
        "4": ["description", "string", 0],
        "5": ["type", "string", 0],
        "6": ["format", "string", 0],
        "7": ["title", "string", 0],
        "8": ["default", "json", 1],
        "9": ["maximum", "double", 1],
        "10": ["exclusiveMaximum", "bool", 0],
        "11": ["minimum", "double", 1],
        "12": ["exclusiveMinimum", "bool", 0],
        "13": ["maxLength", "int", 1],
        "14": ["minLength", "int", 1],
        "15": ["pattern", "string", 0],
        "16": ["maxItems", "int", 1],
        "17": ["minItems", "int", 1],
        "18": ["uniqueItems", "bool", 0],
        "19": ["multipleOf", "double", 1],
        "20": ["enum", "[json", 0],
        "21": ["maxProperties", "int", 1],
        "22": ["minProperties", "int", 1],
        "23": ["required", "[string", 0],
        "24": ["items", "schemaorarray", 1],
        "25": ["allOf", f"[{_EXTENSIONS}.JSONSchemaProps", 0],
        "26": ["oneOf", f"[{_EXTENSIONS}.JSONSchemaProps", 0],
        "27": ["anyOf", f"[{_EXTENSIONS}.JSONSchemaProps", 0],
        "28": ["not", f"{_EXTENSIONS}.JSONSchemaProps", 1],
        "29": ["properties", f"{{{_EXTENSIONS}.JSONSchemaProps", 0],
        "30": ["additionalProperties", "schemaorbool", 1],
        "31": ["patternProperties", f"{{{_EXTENSIONS}.JSONSchemaProps", 0],
        "33": ["additionalItems", "schemaorbool", 1],
        "34": ["definitions", f"{{{_EXTENSIONS}.JSONSchemaProps", 0],
        "35": ["externalDocs", f"{_EXTENSIONS}.ExternalDocumentation", 1],
        "36": ["example", "json", 1],
        "37": ["nullable", "bool", 0],
        "38": ["x-kubernetes-preserve-unknown-fields", "bool", 1],
        "39": ["x-kubernetes-embedded-resource", "bool", 0],
        "40": ["x-kubernetes-int-or-string", "bool", 0],
        "41": ["x-kubernetes-list-map-keys", "[string", 0],
        "42": ["x-kubernetes-list-type", "string", 1],
        "43": ["x-kubernetes-map-type", "string", 1],
        "44": ["x-kubernetes-validations", f"[{_EXTENSIONS}.ValidationRule", 0],
    },
    f"{_EXTENSIONS}.SelectableField": {"1": ["jsonPath", "string", 1]},
    f"{_EXTENSIONS}.ServiceReference": {
        "1": ["namespace", "string", 1],
        "2": ["name", "string", 1],
        "3": ["path", "string", 1],
        "4": ["port", "int", 1],
    },
    f"{_EXTENSIONS}.ValidationRule": {
        "1": ["rule", "string", 1],
        "2": ["message", "string", 0],
        "3": ["messageExpression", "string", 0],
        "4": ["reason", "string", 1],
        "5": ["fieldPath", "string", 0],
        "6": ["optionalOldSelf", "bool", 1],
    },
    f"{_EXTENSIONS}.WebhookClientConfig": {
        "3": ["url", "string", 1],
        "1": ["service", f"{_EXTENSIONS}.ServiceReference", 1],
        "2": ["caBundle", "bytes", 0],
    },
    f"{_EXTENSIONS}.WebhookConversion": {
        "2": ["clientConfig", f"{_EXTENSIONS}.WebhookClientConfig", 1],
        "3": ["conversionReviewVersions", "[string", 1],
    },
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
    """How a value is written: see kubeactors/api/protobuf/messages.py."""
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
