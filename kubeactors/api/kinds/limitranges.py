"""LimitRange."""

from kubeactors.api.defaults.limit_range import default_limit_range
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.kind import Kind
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.validation.quota import limit_range_errors


class LimitRangeStrategy(Strategy):
    metadata_rechecks = 1
    metadata_compared_twice = False

    def default(self, obj: Object) -> None:
        default_limit_range(obj)

    def validate(self, obj: Object) -> list[FieldError]:
        return limit_range_errors(obj)


KIND = Kind(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    short_names=("limits",),
    schema="io.k8s.api.core.v1.LimitRange",
    strategy=LimitRangeStrategy(),
    create_on_update=True,
)
