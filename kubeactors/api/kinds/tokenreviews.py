"""TokenReview."""

from kubeactors.api.kinds.kind import Kind

KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenReview",
    plural="tokenreviews",
    schema="io.k8s.api.authentication.v1.TokenReview",
    namespaced=False,
    verbs=("create",),
    stored=False,
)
