"""Texts for Warning headers about volumes that put two files at one path, or a file where a directory is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubeactors.api.fielderrors import go_quote

Struct = Mapping[str, Any]


def overlapping_path_warnings(volumes: Iterable[Struct]) -> list[str]:
    warnings: list[str] = []
    for volume in volumes:
        title = f"volume {go_quote(volume.get('name') or '')}"
        for field, name in (("configMap", "ConfigMap"), ("secret", "Secret"), ("downwardAPI", "DownwardAPI")):
            source = volume.get(field)
            if source is not None and source.get("items"):
                called = source.get("secretName" if field == "secret" else "name") or ""
                shown = name if field == "downwardAPI" else f"{name} {go_quote(called)}"
                warnings += _overlaps(_paths(source), f"{title} ({shown}): overlapping paths")
        if volume.get("projected") is not None:
            warnings += _projected_warnings(volume["projected"], title)
    return warnings


def _projected_warnings(projected: Struct, title: str) -> list[str]:
    warnings: list[str] = []
    seen: set[str] = set()
    for source in projected.get("sources") or ():
        if not source:
            warnings.append(f"{title} (Projected) has no sources provided")
            continue
        paths, shown = _source(source)
        if not paths:
            continue
        message = f"{title} (Projected {shown}): overlapping paths"
        warnings += _overlaps(paths, message)
        warnings += _overlaps(sorted([*set(paths), *seen]), message)
        seen.update(paths)
    return warnings


def _source(source: Struct) -> tuple[list[str], str]:
    """The paths of a projected source, and how messages call it."""
    for field, name in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if (source.get(field) or {}).get("items"):
            return _paths(source[field]), f"{name} {go_quote(source[field].get('name') or '')}"
    if (source.get("downwardAPI") or {}).get("items"):
        return _paths(source["downwardAPI"]), "DownwardAPI"
    if source.get("serviceAccountToken") is not None:
        return [source["serviceAccountToken"].get("path") or ""], "ServiceAccountToken"
    bundle = source.get("clusterTrustBundle")
    if bundle is not None:
        called = bundle["name"] if bundle.get("name") is not None else bundle.get("signerName") or ""
        return [bundle.get("path") or ""], f"ClusterTrustBundle {go_quote(called)}"
    return [], ""


def _paths(source: Struct) -> list[str]:
    return [item.get("path") or "" for item in source["items"]]


def _overlaps(paths: Sequence[str], message: str) -> list[str]:
    warnings: list[str] = []
    unique: dict[str, None] = {}
    for path in paths:
        plain = path.rstrip("/")
        other = next((each for each in unique if plain and each and _overlap(plain, each)), "")
        if other:
            warnings.append(f"{message}: {go_quote(plain)} with {go_quote(other)}")
        unique[plain] = None
    return warnings


def _overlap(path: str, other: str) -> bool:
    return f"{other}/".startswith(path) or f"{path}/".startswith(other)
