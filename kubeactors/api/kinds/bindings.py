"""Binding by its old path; pods/binding does the same."""

from kubeactors.api.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    kind="Binding",
    plural="bindings",
    verbs=("create",),
    stored=False,
    schema="io.k8s.api.core.v1.Binding",
)
