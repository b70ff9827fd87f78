"""Manifests: what is read, what is refused, and in which order it is applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeactors import ManifestError, load_manifests, parse_manifests
from kubeactors.client.manifests import in_order


def names(text: str) -> list[str]:
    return [obj["metadata"]["name"] for obj in parse_manifests(text)]


def test_documents_lists_and_json() -> None:
    text = """# comments alone
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  text: |
    ---
    not a separator
--- # with a comment
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"}},
  {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}}]}
---
---
"""
    assert names(text) == ["a", "b", "c"]
    assert parse_manifests(text)[0]["data"]["text"] == "---\nnot a separator\n"
    assert parse_manifests(b"") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "the manifest, document 0: "),
        ("---\nkind: A\napiVersion: v1", "document 1: A has no metadata"),
        ("just text", "document 0: an object needs apiVersion and kind"),
        ("kind: A\nkind: B", 'key "kind" already set in map'),
    ],
)
def test_what_is_no_manifest(text: str, message: str) -> None:
    with pytest.raises(ManifestError) as error:
        parse_manifests(text)
    assert message in str(error.value)


def test_files_and_directories(tmp_path: Path) -> None:
    for name, made in (("b.yaml", "b"), ("a.json", "a"), ("c.yml", "c"), ("d.txt", "d")):
        (tmp_path / name).write_text(f'{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "{made}"}}}}')
    assert [obj["metadata"]["name"] for obj in load_manifests(tmp_path)] == ["a", "b", "c"]
    assert [obj["metadata"]["name"] for obj in load_manifests(tmp_path / "d.txt", tmp_path / "a.json")] == ["d", "a"]
    with pytest.raises(FileNotFoundError):
        load_manifests(tmp_path / "none.yaml")
    (tmp_path / "e.yaml").write_text("[")
    with pytest.raises(ManifestError, match=r"e\.yaml, document 0"):
        load_manifests(tmp_path)


def test_what_others_need_comes_first() -> None:
    kinds = [
        "Website",
        "Deployment",
        "Service",
        "ConfigMap",
        "RoleBinding",
        "Role",
        "CustomResourceDefinition",
        "Namespace",
    ]
    ordered = [obj["kind"] for obj in in_order([{"kind": kind} for kind in kinds])]
    assert ordered == [
        "Namespace",
        "CustomResourceDefinition",
        "Role",
        "RoleBinding",
        "ConfigMap",
        "Service",
        "Website",
        "Deployment",
    ]
