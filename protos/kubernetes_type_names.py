"""Write kubeactors/api/schema/type_names.json: the fields of Kubernetes' API whose Go type has a name of its own.

    python protos/kubernetes_type_names.py .venv/bin/kubectl > kubeactors/api/schema/type_names.json

A body with a value of the wrong type is refused with the name of the type that was wanted ("v1.PullPolicy"), which the
published definitions do not say. For each definition: field → name, of fields whose type, or that of their items, is a
named one but no struct.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from go_types import MAP, POINTER, SLICE, STRUCT, GoBinary, api_structs, json_name


def names(binary: GoBinary, struct_type: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag, embedded, type_ in binary.fields(struct_type):
        name, _ = json_name(tag)
        if not name and embedded and binary.kind(type_) == STRUCT:
            found |= names(binary, type_)
        elif name and name != "-" and (text := _named(binary, type_)):
            found[name] = text
    return found


def _named(binary: GoBinary, type_: int) -> str:
    """The name of the type, behind `[]` and `map[string]`; empty if nothing here has one, or a struct has it."""
    while binary.kind(type_) == POINTER:
        type_ = binary.element(type_)
    package, name = binary.identity(type_)
    kind = binary.kind(type_)
    if kind == STRUCT:
        return ""
    if package:
        return f"{package.rpartition('/')[2]}.{name}"
    if kind in (SLICE, MAP):
        inner = _named(binary, binary.element(type_))
        return f"{'[]' if kind == SLICE else 'map[string]'}{inner}" if inner else ""
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    binary = GoBinary(parser.parse_args().binary.read_bytes())
    found = {name: of for name, struct_type in api_structs(binary) if (of := names(binary, struct_type))}
    lines = (f"{json.dumps(name)}:{json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found))
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
