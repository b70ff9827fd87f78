"""Passing a request on to the extension API server that answers for its group version."""

from __future__ import annotations

import logging
import random
from typing import Final

from aiohttp import web

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.aggregation.backing import Backing
from kubeactors.apiserver.aggregation.front_proxy import FrontProxy
from kubeactors.apiserver.aggregation.identity import identity_headers
from kubeactors.apiserver.aggregation.locations import Unresolvable, locations
from kubeactors.apiserver.aggregation.route import Route
from kubeactors.apiserver.http.answer import TEXT, Answer
from kubeactors.apiserver.http.deadline import MAX_SECONDS
from kubeactors.apiserver.http.query import Target, split_target
from kubeactors.apiserver.request import UserInfo
from kubeactors.apiserver.streams.proxy import http as plain
from kubeactors.apiserver.streams.proxy import upgrade as upgraded
from kubeactors.apiserver.streams.proxy.http import Passage
from kubeactors.apiserver.streams.proxy.urls import Location
from kubeactors.apiserver.streams.upgrade import wants_upgrade

logger = logging.getLogger(__name__)

#: Seconds for a discovery document, which clients wait for before they do anything else.
_DISCOVERY_SECONDS: Final = 5.0
_STREAMS: Final = frozenset({"attach", "exec", "log", "portforward", "proxy"})
_NO_SNIFF: Final = (("X-Content-Type-Options", "nosniff"),)


async def forward(
    http: web.BaseRequest, route: Route, user: UserInfo, backing: Backing, proxy: FrontProxy
) -> web.StreamResponse:
    """The answer of the other server, or this one's in plain text where there is none, as kube-aggregator's."""
    if not route.available:
        return _failure(503, "service unavailable")
    tls = await proxy.prepare(route)
    if tls is None:
        return _failure(500, route.tls_error)
    try:
        location = random.choice(known_locations(route, backing))
    except Unresolvable as error:
        logger.warning("cannot resolve %s: %s", route.remote.server_name, error)
        return _failure(503, "service unavailable")
    raw = http._message.path
    target = split_target(raw)
    query = raw.partition("?")[2]
    try:
        passage = Passage(tls, route.remote.server_name, identity_headers(user), _patience(target), redirects=False)
        if wants_upgrade(http):
            return await upgraded.pass_on(http, location, target.path, query, passage)
        return await plain.pass_on(http, proxy.backends, location, target.path, query, target.path, passage)
    except StatusError as error:
        return _failure(503, error.message)
    except ValueError as error:
        return _failure(503, f"error trying to reach service: {error}")


def known_locations(route: Route, backing: Backing) -> list[Location]:
    """Every address of the server, looked up when something has changed. Raises Unresolvable."""
    if route.locations is None:
        route.locations = locations(route.remote, *backing.find(route.remote))
    return route.locations


def _patience(target: Target) -> float | None:
    """How many seconds the answer may take to begin; None: any. Pure."""
    segments = target.segments
    if len(segments) == 3:
        return _DISCOVERY_SECONDS
    long = target.query.boolean("watch") or segments[3:4] == ["watch"]
    return None if long or not _STREAMS.isdisjoint(segments[5:]) else MAX_SECONDS


def _failure(status: int, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode(), TEXT, _NO_SNIFF)
