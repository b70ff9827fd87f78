"""Query parameters and headers, right and wrong."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from tests.fuzz.choices import Choices

_FLAGS: Final = ("true", "false", "", "1", "0", "maybe")
_NUMBERS: Final = ("1", "0", "-1", "2", "500", "1e3", "", "x", "99999999999", "9" * 30, " 1", "1_0", "٣", "0x1")
_VERSIONS: Final = ("0", "1", "", "-1", "x", "0x1", "1.5", " 1", "٣", "\x00")
_LABELS: Final = (
    "a=b", "a", "!a", "a in (b,c)", "a notin (b)", "a!=b", "a==b", "a>1", "a<x", "", ",", "a,", "=b", "a=", "a in ()",
    "a in (", "a in b", "!", "a=b=c", "a b", "é=1", "a=é", "(", ")", "a in (b,(c))", "a>99999999999999999999",
    "in in (in)",
    "x" * 300, "a=" + "b" * 300, ",".join(f"k{i}=v" for i in range(2000)), "a in (" + ",".join(["b"] * 5000) + ")",
    "\x00", "a=\x00", "example.com/a=b", "/a=b", "a/=b", "a/b/c=d", "a\n=b", "!a=b", "a notin", "notin", "\ud800",
)  # fmt: skip
_FIELDS: Final = (
    "metadata.name=a", "metadata.namespace=default", "metadata.name!=a", "spec.nodeName=", "status.phase=Running",
    "a=b", "metadata.name", "=", "==", "!=", ",", "metadata.name=a,metadata.name=b", "metadata.name=a\\,b",
    "metadata.name=\\", "metadata.name=a=b", "\x00", "metadata.labels.a=b", "type=a", "spec.unschedulable=x",
    ",".join(["metadata.name=a"] * 3000), "metadata.name=" + "x" * 5000, "\\x=1", "reason=\\=", "involvedObject.name=a",
)  # fmt: skip
_TOKENS: Final = (
    "", "x", "=", "e30", "e30=", "bnVsbA", "W10", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0",
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiIn0", "eyJ2IjoieCIsInJ2IjoxLCJzdGFydCI6ImEifQ",
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi8uLi9hIn0", "/w", "A" * 20000, "\x00", "é", "W" * 4096,
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MWU0MDAsInN0YXJ0IjoiYSJ9", "eyJ2IjpbXSwicnYiOnt9LCJzdGFydCI6bnVsbH0",
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJcdWQ4MDAifQ",
)  # fmt: skip
PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "limit": _NUMBERS,
    "continue": _TOKENS,
    "resourceVersion": _VERSIONS,
    "resourceVersionMatch": ("Exact", "NotOlderThan", "", "x"),
    "labelSelector": _LABELS,
    "fieldSelector": _FIELDS,
    "dryRun": ("All", "", "all", "All,All", "x"),
    "fieldManager": ("a", "", "a" * 128, "a" * 129, "\x00", "é", "\u202e", "a\nb"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "", "x"),
    "force": _FLAGS,
    "pretty": _FLAGS,
    "propagationPolicy": ("Background", "Foreground", "Orphan", "", "x"),
    "orphanDependents": _FLAGS,
    "gracePeriodSeconds": _NUMBERS,
    "sendInitialEvents": _FLAGS,
    "allowWatchBookmarks": _FLAGS,
    "ignoreStoreReadErrorWithClusterBreakingPotential": _FLAGS,
    "timeout": ("1s", "0", "-1s", "x", "99999h", "1", "1ms", "9" * 40 + "s"),
    "includeObject": ("None", "Metadata", "Object", "x", ""),
    "container": ("c", "", "x"),
    "tailLines": _NUMBERS,
    "sinceSeconds": _NUMBERS,
    "sinceTime": ("2026-01-01T00:00:00Z", "x", ""),
    "limitBytes": _NUMBERS,
    "follow": ("false",),
    "previous": _FLAGS,
    "timestamps": _FLAGS,
    "stream": ("All", "Stdout", "Stderr", "x", ""),
    "path": ("a", "..", "/", "%2f"),
    "unknown": ("1",),
    "": ("", "x"),
}
ACCEPTS: Final = (
    "application/json",
    "*/*",
    "",
    "application/yaml",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v9;g=meta.k8s.io",
    "application/json;as=Chair;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf, application/json;q=0.1",
    "application/cbor",
    "application/json;q=0",
    "application/json;q=x",
    "application/json;q=99999999999999999999",
    "application/json;" + "a=b;" * 500,
    "text/html",
    "garbage",
    ";;;,,,",
    "application/*",
    "*/json",
    "/",
    "\x7f",
    "é",
)
CONTENT_TYPES: Final = (
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/cbor",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/apply-patch+cbor",
    "application/x-www-form-urlencoded",
    "text/plain; charset=x",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "",
    ";",
    "json",
)


def query(choose: Choices, names: tuple[str, ...]) -> str:
    """A query string of a few parameters, most of which the operation has."""
    pairs = []
    for _ in range(choose.below(4)):
        name = choose.one(names) if names and choose.chance(85) else choose.one(tuple(PARAMETERS))
        if name not in PARAMETERS:
            continue
        value = choose.one(PARAMETERS[name])
        pairs.append(f"{name}={quote(value, safe='', errors='surrogatepass')}")
    return "?" + "&".join(pairs) if pairs else ""
