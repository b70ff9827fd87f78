"""Manifests: the objects of YAML and JSON files, and the order in which to apply them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from kubeactors.api import yaml
from kubeactors.client.results import Object

_SEPARATOR = re.compile(rb"^---(?=\s|$)", re.MULTILINE)
_FILES = (".json", ".yaml", ".yml")
# What others need comes first; kinds that are not listed (workloads, custom resources) come last.
_ORDER = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
)
_RANK = {kind: rank for rank, kind in enumerate(_ORDER)}


class ManifestError(ValueError):
    """A manifest that is no YAML, or holds something that is no object."""


def parse_manifests(text: str | bytes, source: str = "the manifest") -> list[Object]:
    """The objects of YAML or JSON documents, those in Lists too. Raises ManifestError, which names `source`."""
    body = text.encode() if isinstance(text, str) else text
    found: list[Object] = []
    for number, document in enumerate(_SEPARATOR.split(body)):
        try:
            value, repeated = yaml.load(document)
        except yaml.YamlError as error:
            raise ManifestError(f"{source}, document {number}: {error}") from error
        if repeated:
            raise ManifestError(f"{source}, document {number}: {repeated[0]}")
        if value is not None:
            found += _objects(value, f"{source}, document {number}")
    return found


def load_manifests(*paths: str | PathLike[str]) -> list[Object]:
    """The objects of files, and of the .yaml, .yml and .json files in directories, in order of their names.

    Raises OSError and ManifestError.
    """
    found: list[Object] = []
    for path in map(Path, paths):
        files = sorted(each for each in path.iterdir() if each.suffix in _FILES) if path.is_dir() else [path]
        for file in files:
            found += parse_manifests(file.read_bytes(), str(file))
    return found


def in_order(objs: Iterable[Object]) -> list[Object]:
    """What others need first: namespaces and definitions, then accounts, rights and settings, then the rest."""
    return sorted(objs, key=lambda obj: _RANK.get(str(obj.get("kind")), len(_ORDER)))


def _objects(value: Any, where: str) -> list[Object]:
    if not isinstance(value, dict) or not value.get("kind") or not value.get("apiVersion"):
        raise ManifestError(f"{where}: an object needs apiVersion and kind")
    if isinstance(value.get("items"), list) and str(value["kind"]).endswith("List"):
        return [obj for item in value["items"] for obj in _objects(item, where)]
    if not isinstance(value.get("metadata"), dict):
        raise ManifestError(f"{where}: {value['kind']} has no metadata")
    return [value]
