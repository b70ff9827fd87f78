"""What `messages.json` says of Kubernetes' API types: their fields in the order of their Go structs.

For each message, by the name that its definition has in OpenAPI: number → [name in JSON, code, whether a zero value
counts]. An empty name marks a part whose fields are the parent's own in JSON. Codes: string, int, bool, double,
bytes; time, microtime, quantity, intstr, json (a document in bytes), items (a message of strings that JSON writes as a
list), schemaorarray and schemaorbool (a message that JSON writes as a schema, a list of them or a boolean);
`[code` a list; `{code` a map from strings; else a message's name. `protos/kubernetes_messages.py` makes the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import orjson

Messages = Mapping[str, Mapping[int, tuple[str, str, bool]]]

#: What every body begins with (k8s.io/apimachinery's protobuf serializer).
MAGIC = b"k8s\0"
#: The definition of schemas in CustomResourceDefinitions.
SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
#: Lists of messages nest no deeper than this.
MAX_DEPTH = 64


@cache
def messages() -> Messages:
    document = orjson.loads(files(__package__).joinpath("messages.json").read_bytes())
    return {
        name: {int(number): (field, code, bool(counts)) for number, (field, code, counts) in message.items()}
        for name, message in document.items()
    }


def known(schema: str) -> bool:
    """Whether objects of this definition can be decoded and encoded."""
    return schema in messages()


@cache
def json_fields(schema: str) -> Mapping[str, str]:
    """Name → code of a definition's fields as JSON has them, in the order of the Go struct. Empty if it is unknown."""
    found: dict[str, str] = {}
    for name, code, _ in messages().get(schema, {}).values():
        if name:
            found[name] = code
        else:
            found |= json_fields(code)
    return found
