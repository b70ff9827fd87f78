"""ClusterRole."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.validation.names import path_segment_errors
from kubeactors.api.validation.rbac import cluster_role_errors


class ClusterRoleStrategy(Strategy):
    namespaced = False
    check_name = staticmethod(path_segment_errors)

    def validate(self, obj: Object) -> list[FieldError]:
        return cluster_role_errors(obj)


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    namespaced=False,
    schema="io.k8s.api.rbac.v1.ClusterRole",
    strategy=ClusterRoleStrategy(),
    create_on_update=True,
)
