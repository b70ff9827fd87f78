"""Write kubeactors/api/schema/presence.json: which empty fields Kubernetes' API types write.

    python protos/kubernetes_presence.py .venv/bin/kubectl > kubeactors/api/schema/presence.json

Whether Go's encoder writes an empty field follows from its type and its tag (`json:"spec,omitempty"`), which kubectl's
binary keeps (`go_types.py`); the published definitions say neither. For each definition: field → code, where

- `a`: always written, as the type's empty value (no `omitempty`, or a struct, which `omitempty` does not leave out)
- `p`: a pointer to a scalar: an empty value is written, a missing one is not
- `n`: a pointer without `omitempty`: a missing one is written as null

A field that is not listed is left out when it is empty.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from go_types import POINTER, SPECIAL, STRUCT, GoBinary, api_structs, json_name


def presence(binary: GoBinary, struct_type: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag, embedded, type_ in binary.fields(struct_type):
        name, options = json_name(tag)
        if name == "-":
            continue
        if not name:
            if embedded and binary.kind(type_) == STRUCT:
                found |= presence(binary, type_)
            continue
        code = _code(binary, type_, "omitempty" in options, "omitzero" in options)
        if code:
            found[name] = code
    return found


def _code(binary: GoBinary, type_: int, omitempty: bool, omitzero: bool) -> str:
    kind = binary.kind(type_)
    if kind == POINTER:
        target = binary.element(type_)
        if not (omitempty or omitzero):
            return "n"
        return "" if binary.kind(target) == STRUCT and binary.identity(target) not in SPECIAL else "p"
    if omitzero or (omitempty and kind != STRUCT):
        return ""
    return "a"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    binary = GoBinary(parser.parse_args().binary.read_bytes())
    found = {name: presence(binary, struct_type) for name, struct_type in api_structs(binary)}
    lines = (f"{json.dumps(name)}:{json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found))
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
