"""Pull policies, back-off and events."""

import asyncio

import pytest

from nodeagent.images import ImageError, Images, default_policy, parse_reference
from nodeagent.runtime.interface import Image, ImagePullFailure, NoSuchImage

BUSYBOX = Image("sha256:b", ("localhost/busybox@sha256:b",), 2_000_000)


class Registry:
    """A runtime of which only images are asked."""

    def __init__(self, *here: str, pullable: tuple[str, ...] = ()) -> None:
        self.here = set(here)
        self.pullable = pullable
        self.pulls: list[str] = []

    async def image(self, reference: str) -> Image:
        if reference not in self.here:
            raise NoSuchImage(reference)
        return BUSYBOX

    async def pull(self, reference: str, credentials: str = "") -> Image:
        self.pulls.append(reference)
        await asyncio.sleep(0)
        if reference not in self.pullable:
            raise ImagePullFailure("no such host")
        self.here.add(reference)
        return BUSYBOX


class Case:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.now = 1000.0
        self.images = Images(registry, clock=lambda: self.now)  # type: ignore[arg-type]
        self.events: list[tuple[str, str, str]] = []

    async def ensure(self, image: str, policy: str = "IfNotPresent") -> Image:
        return await self.images.ensure(image, policy, lambda *event: self.events.append(event))

    async def refused(self, image: str, policy: str = "IfNotPresent") -> ImageError:
        self.events.clear()
        with pytest.raises(ImageError) as caught:
            await self.ensure(image, policy)
        return caught.value


@pytest.mark.parametrize(
    ("text", "name", "pulled"),
    [
        ("busybox", "busybox:latest", "docker.io/library/busybox:latest"),
        ("me/app:1", "me/app:1", "docker.io/me/app:1"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("reg.example:5000/a/b:t", "reg.example:5000/a/b:t", "reg.example:5000/a/b:t"),
        ("a@sha256:" + "0" * 64, "a@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64),
    ],
)
def test_references(text: str, name: str, pulled: str) -> None:
    reference = parse_reference(text)
    assert (reference.name, reference.pulled) == (name, pulled)


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "a::b", "-a", "a:", "a@sha256:1", "a//b"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match="invalid reference format"):
        parse_reference(text)


def test_default_policies() -> None:
    assert [default_policy(i) for i in ("a", "a:latest", "a:1", "r:5000/a")] == [
        "Always",
        "Always",
        "IfNotPresent",
        "Always",
    ]


async def test_an_image_that_is_here_is_not_pulled() -> None:
    case = Case(Registry("localhost/app:1"))
    assert await case.ensure("localhost/app:1") == BUSYBOX
    text = 'Container image "localhost/app:1" already present on machine and can be accessed by the pod'
    assert case.events == [("Normal", "Pulled", text)]
    assert case.registry.pulls == []


async def test_pulls() -> None:
    case = Case(Registry("r.example/app:1", pullable=("r.example/app:1",)))
    await case.ensure("r.example/app:1", "Always")
    assert case.registry.pulls == ["r.example/app:1"]
    assert [e[1] for e in case.events] == ["Pulling", "Pulled"]
    assert case.events[1][2].startswith('Successfully pulled image "r.example/app:1" in 0s')
    assert case.events[1][2].endswith("Image size: 2000000 bytes.")


async def test_never() -> None:
    error = await Case(Registry()).refused("app:1", "Never")
    text = 'Container image "app:1" is not present with pull policy of Never'
    assert (error.reason, error.message) == ("ErrImageNeverPull", text)


async def test_an_invalid_name() -> None:
    case = Case(Registry())
    error = await case.refused("UPPER")
    assert error.reason == "InvalidImageName"
    assert error.message == (
        'Failed to apply default image tag "UPPER": couldn\'t parse image name "UPPER": invalid reference format'
    )
    assert case.events[0][:2] == ("Warning", "InspectFailed")


async def test_failed_pulls_back_off() -> None:
    case = Case(Registry())
    error = await case.refused("r.example/no:1")
    assert (error.reason, error.message, error.retry_at) == ("ErrImagePull", "no such host", 1010)
    assert [e[1] for e in case.events] == ["Pulling", "Failed"]
    case.now = 1004
    error = await case.refused("r.example/no:1")
    assert (error.reason, error.retry_at) == ("ImagePullBackOff", 1010)
    assert error.message == 'Back-off pulling image "r.example/no:1": ErrImagePull: no such host'
    assert case.events == [("Normal", "BackOff", 'Back-off pulling image "r.example/no:1"')]
    case.now = 1010
    assert (await case.refused("r.example/no:1")).retry_at == 1030
    case.now = 1030
    case.registry.pullable = ("r.example/no:1",)
    await case.ensure("r.example/no:1")


async def test_an_image_is_pulled_once_for_all_who_wait() -> None:
    case = Case(Registry(pullable=("r.example/app:1",)))
    await asyncio.gather(*(case.ensure("r.example/app:1") for _ in range(5)))
    assert case.registry.pulls == ["r.example/app:1"]


async def test_one_waiters_cancellation_does_not_end_the_pull() -> None:
    case = Case(Registry(pullable=("r.example/app:1",)))
    first, second = (asyncio.create_task(case.ensure("r.example/app:1")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == BUSYBOX
