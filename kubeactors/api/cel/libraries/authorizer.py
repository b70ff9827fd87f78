"""Checks of authorization: what `authorizer` can be asked. https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-authorizer-library

The types are declared here; the values come from whoever evaluates policies, as objects with these methods.
"""

from typing import Any, Final, Protocol

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.types import Type, struct
from kubeactors.api.cel.values import EvaluationError

_NAME: Final = "kubernetes.authorization"
AUTHORIZER_TYPE: Final = struct(f"{_NAME}.Authorizer")
PATH_CHECK_TYPE: Final = struct(f"{_NAME}.PathCheck")
GROUP_CHECK_TYPE: Final = struct(f"{_NAME}.GroupCheck")
RESOURCE_CHECK_TYPE: Final = struct(f"{_NAME}.ResourceCheck")
DECISION_TYPE: Final = struct(f"{_NAME}.Decision")


class Decision(Protocol):
    """What came of a check."""

    @property
    def cel_type(self) -> Type: ...
    @property
    def allowed(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def error(self) -> str: ...


class Check(Protocol):
    """A check under way; each method gives a narrower one."""

    @property
    def cel_type(self) -> Type: ...
    def narrow(self, what: str, value: str) -> "Check":
        """`what`: group, path, resource, subresource, namespace, name, fieldSelector, labelSelector."""
        ...

    def service_account(self, namespace: str, name: str) -> "Check": ...
    def decide(self, verb: str) -> Decision: ...


def _narrow(what: str) -> Any:
    def run(check: Check, value: str) -> Check:
        if what in ("path", "resource") and not value.strip():
            raise EvaluationError(f"{what} must not be empty")
        return check.narrow(what, value)

    return run


_KNOWN: Final = {
    "Authorizer": AUTHORIZER_TYPE,
    "PathCheck": PATH_CHECK_TYPE,
    "GroupCheck": GROUP_CHECK_TYPE,
    "ResourceCheck": RESOURCE_CHECK_TYPE,
    "Decision": DECISION_TYPE,
}


def _narrower(name: str, id: str, of: str, gives: str) -> tuple[Any, ...]:
    return (overload(id, f"{of}.(string) -> {gives}", _narrow(name), _KNOWN),)


LIBRARY: Final = Library(
    {
        "path": _narrower("path", "authorizer_path", "Authorizer", "PathCheck"),
        "group": _narrower("group", "authorizer_group", "Authorizer", "GroupCheck"),
        "serviceAccount": (
            overload(
                "authorizer_serviceaccount",
                "Authorizer.(string, string) -> Authorizer",
                lambda check, namespace, name: check.service_account(namespace, name),
                _KNOWN,
            ),
        ),
        "resource": _narrower("resource", "groupcheck_resource", "GroupCheck", "ResourceCheck"),
        "subresource": _narrower("subresource", "resourcecheck_subresource", "ResourceCheck", "ResourceCheck"),
        "namespace": _narrower("namespace", "resourcecheck_namespace", "ResourceCheck", "ResourceCheck"),
        "name": _narrower("name", "resourcecheck_name", "ResourceCheck", "ResourceCheck"),
        "fieldSelector": _narrower("fieldSelector", "authorizer_fieldselector", "ResourceCheck", "ResourceCheck"),
        "labelSelector": _narrower("labelSelector", "authorizer_labelselector", "ResourceCheck", "ResourceCheck"),
        "check": (
            overload(
                "pathcheck_check", "PathCheck.(string) -> Decision", lambda check, verb: check.decide(verb), _KNOWN
            ),
            overload(
                "resourcecheck_check",
                "ResourceCheck.(string) -> Decision",
                lambda check, verb: check.decide(verb),
                _KNOWN,
            ),
        ),
        "errored": (overload("decision_errored", "Decision.() -> bool", lambda made: bool(made.error), _KNOWN),),
        "error": (overload("decision_error", "Decision.() -> string", lambda made: made.error, _KNOWN),),
        "allowed": (overload("decision_allowed", "Decision.() -> bool", lambda made: made.allowed, _KNOWN),),
        "reason": (overload("decision_reason", "Decision.() -> string", lambda made: made.reason, _KNOWN),),
    },
    tuple(_KNOWN.values()),
)
