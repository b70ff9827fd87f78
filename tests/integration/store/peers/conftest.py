from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.store.peers.sides import Pair, one_member_each


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One member of each, fresh, for a whole module, so that their revisions go along."""
    with one_member_each(tmp_path_factory.mktemp("peers")) as stores:
        yield stores
