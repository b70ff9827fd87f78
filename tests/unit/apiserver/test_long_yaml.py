"""Long YAML bodies leave turns to others."""

from __future__ import annotations

import asyncio

from kubeactors.api import yaml
from kubeactors.api.kinds import registry
from kubeactors.apiserver.long_yaml import LONG, LongYaml
from kubeactors.apiserver.request import APPLY_PATCH, JSON, YAML, Request, UserInfo

MAPS = registry.lookup("configmaps")


def request(body: bytes, content_type: str = YAML) -> Request:
    return Request(verb="create", kind=MAPS, user=UserInfo("me"), body=body, content_type=content_type)


async def turns_during(*requests: Request) -> int:
    """How often the loop came round while the bodies of all were read."""
    reader, turns, done = LongYaml(), 0, False

    async def count() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    await asyncio.gather(*map(reader.read, requests))
    done = True
    await counter
    return turns


LONG_BODY = b"data:\n" + b"".join(b"  k%d: v\n" % n for n in range(LONG // 4))


async def test_others_have_a_turn_between_short_steps() -> None:
    requests = [request(LONG_BODY), request(LONG_BODY, APPLY_PATCH)]
    assert await turns_during(*requests) > 2 * LONG // 4 * 2 // 500, "one for every few hundred words"
    for each in requests:
        assert isinstance(each.body, yaml.ReadBody)
        assert yaml.load(each.body)[0]["data"]["k7"] == "v"


async def test_what_is_short_or_not_yaml_is_left_alone() -> None:
    requests = [request(b"a: b"), request(LONG_BODY, JSON)]
    await turns_during(*requests)
    assert not any(isinstance(each.body, yaml.ReadBody) for each in requests)


async def test_a_fault_is_told_when_the_body_is_asked_for() -> None:
    broken = request(LONG_BODY + b"]")
    await turns_during(broken, request(LONG_BODY))
    try:
        yaml.load(broken.body)
    except yaml.YamlError as error:
        assert "did not find expected" in str(error) or "found character" in str(error)
    else:
        raise AssertionError("read what is no YAML")


async def test_who_gives_up_leaves_the_turn_to_the_next() -> None:
    reader, first, second = LongYaml(), request(LONG_BODY), request(LONG_BODY)
    reading = asyncio.create_task(reader.read(first))
    waiting = asyncio.create_task(reader.read(second))
    await asyncio.sleep(0)
    reading.cancel()
    await waiting
    assert isinstance(second.body, yaml.ReadBody)
    assert not isinstance(first.body, yaml.ReadBody)
