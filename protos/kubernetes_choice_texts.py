"""Write kubeactors/apiserver/openapi/choice_texts.json: what the constants of Kubernetes' string types mean.

    npm pack kubernetes-models@5.1.0 && tar xzf kubernetes-models-5.1.0.tgz
    python protos/kubernetes_choice_texts.py package > kubeactors/apiserver/openapi/choice_texts.json

`kubectl explain` shows these texts, which the published Swagger document leaves out. That package (MIT; the texts are
Kubernetes', Apache License 2.0) has them in its declarations, as Kubernetes v1.36 serves them. `texts`: type → value →
text, of values that have one. `apart`: definition → fields whose list of choices stands a line further down.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from kubeactors.apiserver.openapi.choices import named_types

_PROPERTY = re.compile(r'    /\*\*\n(?P<comment>(?:     \*.*\n)+?)     \*/\n    "(?P<name>[^"]+)"\??:')
_HEAD = "Possible enum values:"
_VALUE = re.compile(r'- `"(?P<value>.*?)"`(?: (?P<text>.+))?')


def listed(declarations: str) -> Iterator[tuple[str, bool, dict[str, str]]]:
    """Of each property whose comment lists its values: its name, whether the list stands apart, value → text."""
    for found in _PROPERTY.finditer(declarations.partition("export declare class")[0]):
        comment = found["comment"].replace("\\*", "*")
        lines = [line.removeprefix("     *").strip() for line in comment.splitlines()]
        if _HEAD in lines:
            at = lines.index(_HEAD)
            values = [match for line in lines[at + 1 :] if (match := _VALUE.fullmatch(line))]
            yield found["name"], not any(lines[at - 2 : at]), {m["value"]: m["text"] for m in values if m["text"]}


def definition_of(file: Path) -> str:
    """`apps/v1/Deployment.d.ts` → `io.k8s.api.apps.v1.Deployment`."""
    *groups, version, name = file.parts
    group = groups[0].partition(".")[0] if groups else "core"
    kind = name.removesuffix(".d.ts")
    if group == "apiextensions":
        return f"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}.{kind}"
    return f"io.k8s.api.{group}.{version}.{kind}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    root = parser.parse_args().package
    texts: dict[str, dict[str, str]] = {}
    apart: dict[str, list[str]] = defaultdict(list)
    for file in sorted(root.glob("**/*.d.ts")):
        if "_schemas" in file.parts:
            continue
        for field, is_apart, values in listed(file.read_text()):
            definition = definition_of(file.relative_to(root))
            name = named_types(definition)[field].rpartition(".")[2]
            if texts.setdefault(name, values) != values:
                raise SystemExit(f"{definition}.{field} says other things of {name}")
            if is_apart:
                apart[definition].append(field)
    known = {name: values for name, values in texts.items() if values}
    json.dump({"apart": apart, "texts": known}, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
