"""`$(NAME)` references in commands, arguments and values, as kubelet expands them: pure."""

from collections.abc import Mapping


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
