"""SelfSubjectRulesReview."""

from kubeactors.api.kinds.kind import Kind

KIND = Kind(
    group="authorization.k8s.io",
    version="v1",
    kind="SelfSubjectRulesReview",
    plural="selfsubjectrulesreviews",
    schema="io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    namespaced=False,
    verbs=("create",),
    stored=False,
)
