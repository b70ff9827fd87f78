"""The selectors of a request, checked against its kind."""

from __future__ import annotations

from functools import lru_cache

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.api.selectors import EVERYTHING, SelectorError, parse_field_selector, parse_label_selector
from kubeactors.apiserver.watchcache.matcher import NO_FIELDS, Matcher, make_matcher


@lru_cache(maxsize=4096)
def matcher_for(kind: Kind, namespace: str, name: str, label_selector: str, field_selector: str) -> Matcher:
    """What a list, watch or deletecollection is about. Raises StatusError (400) with the real server's words.

    Cached: the same watches and lists come again and again, and watchers with equal matchers share a channel.
    """
    try:
        labels = parse_label_selector(label_selector) if label_selector else EVERYTHING
        fields = NO_FIELDS
        if field_selector:
            fields = parse_field_selector(field_selector).transformed(kind.convert_field)
    except SelectorError as error:
        raise errors.bad_request(str(error)) from error
    matcher = make_matcher(namespace, labels, fields)
    if name and matcher.name != name:
        matcher = Matcher(namespace, name, labels, fields)
    return matcher
