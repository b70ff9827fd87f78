"""Int-or-string values: numbers, port names and percentages (`25%`)."""

from kubeactors.api.validation.names import is_percent

IntOrString = int | str


def scaled(value: IntOrString, total: int, *, round_up: bool) -> int:
    """intstr.GetScaledValueFromIntOrPercent: a number as it is, a percentage of `total`. Raises ValueError."""
    if isinstance(value, int):
        return value
    percent = percent_of(value)
    if percent is None:
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    return -(-percent * total // 100) if round_up else percent * total // 100


def percent_of(value: IntOrString) -> int | None:
    """25 for `25%`; None for what is no percentage."""
    return int(value[:-1]) if isinstance(value, str) and is_percent(value) else None
