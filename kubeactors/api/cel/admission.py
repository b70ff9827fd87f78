"""What the expressions of admission may name: conditions of webhooks, validating and mutating admission policies.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#validation-expression. Whoever
runs policies compiles here, and gives the values in the order of `Program.variables`.
"""

from functools import lru_cache
from typing import Final

from kubeactors.api.cel import types
from kubeactors.api.cel.environment import BASE, Environment, Program
from kubeactors.api.cel.fields import ANY_FIELDS
from kubeactors.api.cel.libraries import authorizer, jsonpatch
from kubeactors.api.cel.types import Kind, Type, list_of, map_of, struct, type_of

OBJECT, OLD_OBJECT, PARAMS, REQUEST, NAMESPACE, AUTHORIZER, REQUEST_RESOURCE, VARIABLES = (
    "object",
    "oldObject",
    "params",
    "request",
    "namespaceObject",
    "authorizer",
    "authorizer.requestResource",
    "variables",
)
_TEXT, _TEXTS = types.STRING, list_of(types.STRING)
_LABELS: Final = map_of(_TEXT, _TEXT)


def _request_type() -> Type:
    kind = struct("kubernetes.GroupVersionKind", {"group": _TEXT, "version": _TEXT, "kind": _TEXT})
    resource = struct("kubernetes.GroupVersionResource", {"group": _TEXT, "version": _TEXT, "resource": _TEXT})
    user = struct(
        "kubernetes.UserInfo", {"username": _TEXT, "uid": _TEXT, "groups": _TEXTS, "extra": map_of(_TEXT, _TEXTS)}
    )
    return struct(
        "kubernetes.AdmissionRequest",
        {
            "kind": kind,
            "resource": resource,
            "subResource": _TEXT,
            "requestKind": kind,
            "requestResource": resource,
            "requestSubResource": _TEXT,
            "name": _TEXT,
            "namespace": _TEXT,
            "operation": _TEXT,
            "userInfo": user,
            "dryRun": types.BOOL,
            "options": types.DYN,
        },
    )


def _namespace_type() -> Type:
    condition = struct(
        "kubernetes.NamespaceCondition",
        {"status": _TEXT, "type": _TEXT, "lastTransitionTime": types.TIMESTAMP, "message": _TEXT, "reason": _TEXT},
    )
    metadata = struct(
        "kubernetes.NamespaceMetadata",
        {
            **dict.fromkeys(("name", "generateName", "namespace", "UID", "resourceVersion"), _TEXT),
            **dict.fromkeys(("labels", "annotations"), _LABELS),
            **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), types.TIMESTAMP),
            **dict.fromkeys(("deletionGracePeriodSeconds", "generation"), types.INT),
            "finalizers": _TEXTS,
        },
    )
    return struct(
        "kubernetes.Namespace",
        {
            "metadata": metadata,
            "spec": struct("kubernetes.NamespaceSpec", {"finalizers": _TEXTS}),
            "status": struct("kubernetes.NamespaceStatus", {"conditions": list_of(condition), "phase": _TEXT}),
        },
    )


_REQUEST_TYPE: Final = _request_type()
_NAMESPACE_TYPE: Final = _namespace_type()

APPLY_CONFIGURATION: Final = struct("Object", ANY_FIELDS)
_PATCH: Final = struct("JSONPatch", {"op": _TEXT, "path": _TEXT, "from": _TEXT, "value": types.DYN})
JSON_PATCH: Final = list_of(_PATCH)


@lru_cache(maxsize=8)
def environment(*, params: bool, authorized: bool, patches: bool = False) -> Environment:
    """`params`: the policy has parameters; `authorized`: the authorizer may be asked; `patches`: mutations are made."""
    variables = {
        OBJECT: types.DYN,
        OLD_OBJECT: types.DYN,
        NAMESPACE: _NAMESPACE_TYPE,
        REQUEST: _REQUEST_TYPE,
    }
    if params:
        variables[PARAMS] = types.DYN
    if authorized:
        variables[AUTHORIZER] = authorizer.AUTHORIZER_TYPE
        variables[REQUEST_RESOURCE] = authorizer.RESOURCE_CHECK_TYPE
    made = BASE.with_variables(variables)
    return made.with_libraries(jsonpatch.LIBRARY).with_names(_patch_type) if patches else made


def _patch_type(name: str) -> Type | None:
    """`Object`, `Object.spec.template`, `JSONPatch`: types of what mutations make, with whatever fields."""
    if name == _PATCH.name:
        return type_of(_PATCH)
    if name == "Object" or name.startswith("Object."):
        return type_of(struct(name, ANY_FIELDS))
    return None


class Scope:
    """The expressions of one policy. Its variables are known once they were added, to those that come after."""

    def __init__(self, *, params: bool, composed: bool = False) -> None:
        """`composed`: the policy has variables, so that `variables` is declared."""
        self._params = params
        self._fields: dict[str, Type] | None = {} if composed else None

    def compile(self, text: str, *, authorized: bool = True, patches: bool = False) -> Program:
        """Raises CompileError."""
        found = environment(params=self._params, authorized=authorized, patches=patches)
        if self._fields is not None:
            found = found.with_variables({VARIABLES: struct("kubernetes.variables", dict(self._fields))})
        return found.compile(text)

    def add(self, name: str, type: Type) -> None:
        """A variable, for the expressions that are compiled from now on."""
        if self._fields is not None:
            self._fields[name] = type


def shown(type: Type) -> str:
    """A type as errors about results show it."""
    if type.kind is Kind.DYN or not type.parameters:
        return type.runtime_name
    return f"{type.runtime_name}({', '.join(map(shown, type.parameters))})"
