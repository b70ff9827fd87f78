"""URLs in HTML pages that pass the proxy (util/proxy.Transport). Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

#: Which attributes of which elements hold URLs
#: (http://www.w3.org/TR/REC-html40/index/attributes.html, http://www.w3.org/html/wg/drafts/html/master/index.html).
_ATTRIBUTES: dict[str, frozenset[str]] = {
    "a": frozenset({"href"}),
    "applet": frozenset({"codebase"}),
    "area": frozenset({"href"}),
    "audio": frozenset({"src"}),
    "base": frozenset({"href"}),
    "blockquote": frozenset({"cite"}),
    "body": frozenset({"background"}),
    "button": frozenset({"formaction"}),
    "command": frozenset({"icon"}),
    "del": frozenset({"cite"}),
    "embed": frozenset({"src"}),
    "form": frozenset({"action"}),
    "frame": frozenset({"longdesc", "src"}),
    "head": frozenset({"profile"}),
    "html": frozenset({"manifest"}),
    "iframe": frozenset({"longdesc", "src"}),
    "img": frozenset({"longdesc", "src", "usemap"}),
    "input": frozenset({"src", "usemap", "formaction"}),
    "ins": frozenset({"cite"}),
    "link": frozenset({"href"}),
    "object": frozenset({"classid", "codebase", "data", "usemap"}),
    "q": frozenset({"cite"}),
    "script": frozenset({"src"}),
    "source": frozenset({"src"}),
    "video": frozenset({"poster", "src"}),
}

#: Elements whose content is text up to their end tag, tags or not.
_RAW_TEXT = frozenset({"iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"})

_TAG_START = re.compile(r"<(?=[A-Za-z])")
_TAG_NAME = re.compile(r"[^\s/>]+")
_ATTRIBUTE = re.compile(
    r"""[\s/]*(?P<name>[^\s/>=][^\s/>=]*)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s>"'][^\s>]*))?)?"""
)
_TAG_END = re.compile(r"[\s/]*>")
_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*)(?P<end>;?)(?P<next>=?)")
_ESCAPES = str.maketrans({"&": "&amp;", "'": "&#39;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "\r": "&#13;"})


def rewrite_html(page: str, rewrite: Callable[[str], str]) -> str:
    """The page with its URLs rewritten. Start tags are written anew, everything else stays byte for byte."""
    out: list[str] = []
    position = 0
    while position < len(page):
        found = page.find("<", position)
        if found < 0:
            break
        out.append(page[position:found])
        if page.startswith("<!--", found):
            end = _after(page, "-->", found + 4)
        elif page.startswith(("<!", "</", "<?"), found):
            end = _after(page, ">", found + 2)
        elif _TAG_START.match(page, found):
            tag, name, end = _start_tag(page, found, rewrite)
            out.append(tag)
            if name in _RAW_TEXT:
                start, end = end, _raw_end(page, name, end)
                out.append(page[start:end])
            position = end
            continue
        else:
            end = found + 1
        out.append(page[found:end])
        position = end
    out.append(page[position:])
    return "".join(out)


def _after(page: str, mark: str, start: int) -> int:
    found = page.find(mark, start)
    return len(page) if found < 0 else found + len(mark)


def _raw_end(page: str, name: str, start: int) -> int:
    found = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(page, start)
    return found.start() if found else len(page)


def _start_tag(page: str, start: int, rewrite: Callable[[str], str]) -> tuple[str, str, int]:
    """The tag as it is to be written, its name, and where it ends."""
    matched = _TAG_NAME.match(page, start + 1)
    assert matched is not None  # a letter follows
    name = matched.group().lower()
    position = matched.end()
    attributes: list[tuple[str, str]] = []
    while not (end := _TAG_END.match(page, position)):
        found = _ATTRIBUTE.match(page, position)
        if found is None or found.end() == position:
            if position >= len(page):
                return page[start:], name, len(page)  # a tag without an end
            position += 1
            continue
        value = found["double"] or found["single"] or found["bare"] or ""
        attributes.append((found["name"].lower(), _unescape(value)))
        position = found.end()
    urls = _ATTRIBUTES.get(name, frozenset())
    written = "".join(
        f' {key}="{(rewrite(value) if key in urls else value).translate(_ESCAPES)}"' for key, value in attributes
    )
    closed = "/" if end.group().rstrip(">").endswith("/") else ""
    return f"<{name}{written}{closed}>", name, end.end()


def _unescape(value: str) -> str:
    """Character references of an attribute's value; `&copy=1` is no reference there (HTML standard, 13.2.5.73)."""
    if "&" not in value:
        return value
    return _REFERENCE.sub(lambda m: m.group() if m["next"] and not m["end"] else html.unescape(m.group()), value)
