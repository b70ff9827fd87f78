"""Role."""

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.validation.names import path_segment_errors
from kubeactors.api.validation.rbac import role_errors


class RoleStrategy(Strategy):
    namespaced = True
    check_name = staticmethod(path_segment_errors)

    def validate(self, obj: Object) -> list[FieldError]:
        return role_errors(obj, namespaced=True)


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="Role",
    plural="roles",
    namespaced=True,
    schema="io.k8s.api.rbac.v1.Role",
    strategy=RoleStrategy(),
    create_on_update=True,
)
