"""The selectors of a request, checked against its kind."""

from __future__ import annotations

from functools import lru_cache

from kubeactors.api import errors
from kubeactors.api.kinds import Kind
from kubeactors.api.selectors import EVERYTHING, SelectorError, parse_field_selector, parse_label_selector
from kubeactors.apiserver.watchcache.matcher import NO_FIELDS, Matcher, make_matcher

# Longer ones are not kept: they come from one client, and many would fill the memory.
_MAX_CACHED = 512


def matcher_for(kind: Kind, namespace: str, name: str, label_selector: str, field_selector: str) -> Matcher:
    """What a list, watch or deletecollection is about. Raises StatusError (400) with the real server's words.

    Cached: the same watches and lists come again and again, and watchers with equal matchers share a channel.
    """
    short = len(label_selector) + len(field_selector) + len(namespace) + len(name) <= _MAX_CACHED
    make = _matcher_for if short else _matcher_for.__wrapped__
    return make(kind, namespace, name, label_selector, field_selector)


@lru_cache(maxsize=4096)
def _matcher_for(kind: Kind, namespace: str, name: str, label_selector: str, field_selector: str) -> Matcher:
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


def check_selectors(label_selector: str, field_selector: str) -> None:
    """Raises StatusError (400) for selectors that cannot be read; which fields a kind has is not looked at."""
    try:
        parse_label_selector(label_selector)
        parse_field_selector(field_selector)
    except SelectorError as error:
        raise errors.bad_request(str(error)) from error
