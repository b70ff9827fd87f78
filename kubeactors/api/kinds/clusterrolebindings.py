"""ClusterRoleBinding."""

from kubeactors.api.defaults.rbac import default_binding
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.printers.rbac import binding_cells
from kubeactors.api.validation.names import path_segment_errors
from kubeactors.api.validation.rbac import binding_errors, binding_update_errors


class ClusterRoleBindingStrategy(Strategy):
    namespaced = False
    check_name = staticmethod(path_segment_errors)

    def default(self, obj: Object) -> None:
        default_binding(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return binding_errors(obj, namespaced=False)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return binding_update_errors(new, old, namespaced=False)


KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    namespaced=False,
    schema="io.k8s.api.rbac.v1.ClusterRoleBinding",
    strategy=ClusterRoleBindingStrategy(),
    create_on_update=True,
    columns=(
        NAME_COLUMN,
        Column(
            "Role",
            # In the words of v1beta1, as kube-apiserver's table has it.
            description="RoleRef can only reference a ClusterRole in the global namespace. "
            "If the RoleRef cannot be resolved, the Authorizer must return an error.",
        ),
        AGE_COLUMN,
        Column("Users", priority=1, description="Users in the clusterRoleBinding"),
        Column("Groups", priority=1, description="Groups in the clusterRoleBinding"),
        Column("ServiceAccounts", priority=1, description="ServiceAccounts in the clusterRoleBinding"),
    ),
    cells=binding_cells,
)
