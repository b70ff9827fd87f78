"""`$(NAME)` references in commands, arguments and values, as kubelet expands them: pure."""

from collections.abc import Mapping


class MissingValues(Exception):
    """References that lead to nothing, where something must be; the text is kubelet's."""


class _Noted(dict[str, str]):
    """A scope that notes which names it could not give a value."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.missing: set[str] = set()

    def __contains__(self, name: object) -> bool:
        if not self.get(str(name)):
            self.missing.add(str(name))
        return super().__contains__(name)


def expand_fully(text: str, values: Mapping[str, str]) -> str:
    """As `expand`. Raises MissingValues where a name has no value, or an empty one."""
    scope = _Noted(values)
    expanded = expand(text, scope)
    if scope.missing:
        raise MissingValues(f"missing value for {', '.join(sorted(scope.missing))}")
    return expanded


def expand(text: str, *scopes: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the first scope's value; unknown names stay as they are, `$$` stands for `$`."""
    if "$" not in text:
        return text
    result = []
    position = 0
    while position < len(text):
        char = text[position]
        if char != "$" or position + 1 == len(text):
            result.append(char)
            position += 1
            continue
        following = text[position + 1]
        if following == "$":
            result.append("$")
            position += 2
        elif following == "(" and (end := text.find(")", position)) > 0:
            name = text[position + 2 : end]
            reference = text[position : end + 1]
            result.append(next((scope[name] for scope in scopes if name in scope), reference))
            position = end + 1
        else:
            result.append(char)
            position += 1
    return "".join(result)
