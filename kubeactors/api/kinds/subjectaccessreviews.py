"""SubjectAccessReview."""

from kubeactors.api.kinds.kind import Kind

KIND = Kind(
    group="authorization.k8s.io",
    version="v1",
    kind="SubjectAccessReview",
    plural="subjectaccessreviews",
    schema="io.k8s.api.authorization.v1.SubjectAccessReview",
    namespaced=False,
    verbs=("create",),
    stored=False,
)
