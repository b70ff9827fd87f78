"""SelfSubjectAccessReview."""

from kubeactors.api.kinds.kind import Kind

KIND = Kind(
    group="authorization.k8s.io",
    version="v1",
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    schema="io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
    stored=False,
)
