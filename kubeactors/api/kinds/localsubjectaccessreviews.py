"""LocalSubjectAccessReview."""

from kubeactors.api.kinds.kind import Kind

KIND = Kind(
    group="authorization.k8s.io",
    version="v1",
    kind="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
    schema="io.k8s.api.authorization.v1.LocalSubjectAccessReview",
    verbs=("create",),
    stored=False,
)
