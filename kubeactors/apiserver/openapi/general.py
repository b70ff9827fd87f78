"""The paths that belong to no version: what the server says of itself and of its groups."""

from __future__ import annotations

from collections.abc import Iterable

from kubeactors.api.kinds import Kind
from kubeactors.apiserver.openapi.definitions import META
from kubeactors.apiserver.openapi.operations import Operation, Path, capitalized, spoken

_INFO = "io.k8s.apimachinery.pkg.version.Info"
_JSON = ("application/json",)


def general_paths(kinds: Iterable[Kind]) -> dict[str, Path]:
    """By the name of their documents: `version`, `apis/apps`. Groups of custom resources have none."""
    found = {
        ".well-known/openid-configuration": _path(
            "/.well-known/openid-configuration",
            "getServiceAccountIssuerOpenIDConfiguration",
            "get the OpenID configuration of the service accounts' issuer",
            "WellKnown",
            forms=_JSON,
        ),
        "api": _path("/api/", "getCoreAPIVersions", "get available API versions", "core", f"{META}APIVersions"),
        "apis": _path("/apis/", "getAPIVersions", "get available API versions", "apis", f"{META}APIGroupList"),
        "openid/v1/jwks": _path(
            "/openid/v1/jwks",
            "getServiceAccountIssuerOpenIDKeyset",
            "get the public keys of the service accounts' issuer, with which tokens are verified",
            "openid",
            forms=("application/jwk-set+json",),
        ),
        "version": _path(
            "/version/", "getCodeVersion", "get the version information for this server", "version", _INFO, forms=_JSON
        ),
    }
    for kind in kinds:
        if kind.group and not kind.custom:
            tag = spoken(kind)
            found[f"apis/{kind.group}"] = _path(
                f"/apis/{kind.group}/",
                f"get{capitalized(tag)}APIGroup",
                "get information of a group",
                tag,
                f"{META}APIGroup",
            )
    return found


def _path(path: str, name: str, description: str, tag: str, answers: str = "", *, forms: tuple[str, ...] = ()) -> Path:
    operation = Operation(method="get", id=name, description=description, tag=tag, answers=answers, forms=forms)
    return Path(path, (), (operation,))
