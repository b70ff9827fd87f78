"""SelfSubjectReview."""

from kubeactors.api.kinds.kind import Kind

KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    kind="SelfSubjectReview",
    plural="selfsubjectreviews",
    schema="io.k8s.api.authentication.v1.SelfSubjectReview",
    namespaced=False,
    verbs=("create",),
    stored=False,
)
