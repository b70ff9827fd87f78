"""Deployment."""

from kubeactors.api.kinds.kind import STATUS_VERBS, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy


class DeploymentStrategy(Strategy):
    has_status = True
    generation_fields = ("spec",)


_STRATEGY = DeploymentStrategy()

KIND = Kind(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    short_names=("deploy",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.Deployment",
    strategy=_STRATEGY,
    subresources=(
        Subresource(
            "scale",
            STATUS_VERBS,
            kind="Scale",
            group="autoscaling",
            version="v1",
            schema="io.k8s.api.autoscaling.v1.Scale",
        ),
        Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY)),
    ),
)
