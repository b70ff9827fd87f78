"""The names of Kubernetes' Go types that are no structs: `v1.PullPolicy`, `[]v1.KeyUsage`, `types.UID`.

`type_names.json` has them, of the definitions that kubectl's binary holds (`protos/kubernetes_type_names.py` makes it).
The published definitions say only `string`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import orjson


def type_names(definition: str) -> Mapping[str, str]:
    """Field → name of its Go type, of the fields of a definition whose type has a name."""
    return _names().get(definition, {})


@cache
def _names() -> Mapping[str, Mapping[str, str]]:
    document: dict[str, dict[str, str]] = orjson.loads(files(__package__).joinpath("type_names.json").read_bytes())
    return document
