"""jsonpatch.escapeKey, for the paths of JSON patches (RFC 6901, section 3)."""

from typing import Final

from kubeactors.api.cel.declarations import Library, overload

LIBRARY: Final = Library(
    {
        "jsonpatch.escapeKey": (
            overload(
                "string_jsonpatch_escapeKey_string",
                "(string) -> string",
                lambda key: key.replace("~", "~0").replace("/", "~1"),
            ),
        )
    }
)
