"""Write kubeactors/apiserver/openapi/choice_sentences.json: what each choice of a field means, in Kubernetes' words.

    python -P protos/kubernetes_choice_sentences.py kubernetes-models-5.1.0.tgz > .../choice_sentences.json

A real API server publishes them in the descriptions of its fields ("Possible enum values"), and `kubectl explain` shows
them. The definitions that clients are generated from leave them out. The npm package kubernetes-models was generated
from a server's own documents and keeps them in its comments. They are not ours to keep: `make setup` writes the file.
For each definition: field → choice → sentence.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from kubeactors.api.schema.definitions import definition_names

# Of version 5.1.0.
_SHA512 = (
    "ca6e0a8b2afc0731885a3e1ff39df2b556044b507c0b505d38d44fe73a1d22d3"
    "c3d68fff3842ae4f00b99c5577649b4519e32a3856c8624a6e9d25574a51d2f2"
)
_ALIAS = re.compile(r"export (?:type )?\{ \w+ as I(\w+)")
_FIELD = re.compile(r'/\*\*((?:(?!\*/).)*)\*/\s*"(\w+)"\??:', re.DOTALL)
_LISTED = "Possible enum values:"
_CHOICE = re.compile(r'^\s*\*\s+- `"([^"]*)"`(.*)$')


def fields(declaration: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The fields of a declared interface whose comment lists their choices, with these."""
    for comment, field in _FIELD.findall(declaration):
        _, listed, choices = comment.partition(_LISTED)
        if listed:
            yield field, {value: sentence.strip() for value, sentence in _choices(choices)}


def _choices(lines: str) -> Iterator[tuple[str, str]]:
    for line in lines.splitlines():
        if found := _CHOICE.match(line):
            yield found[1].replace("\\*", "*"), found[2]  # "*/" would end the comment


def _camel(definition: str) -> str:
    """As kubernetes-models names a definition: io.k8s.api.core.v1.Pod → IoK8sApiCoreV1Pod."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]", definition))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    package = parser.parse_args().package
    if hashlib.sha512(package.read_bytes()).hexdigest() != _SHA512:
        sys.exit(f"{package} is not the package that is expected: its SHA-512 differs")
    names = {_camel(name): name for name in definition_names()}
    found: dict[str, dict[str, dict[str, str]]] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            if not member.name.endswith(".d.ts"):
                continue
            opened = archive.extractfile(member)
            assert opened is not None
            declaration = opened.read().decode()
            alias = _ALIAS.search(declaration)
            if alias and alias[1] in names and (of := dict(fields(declaration))):
                found[names[alias[1]]] = of
    json.dump(found, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
