"""The longest test first, so that the others run beside it and nobody waits for it alone at the end."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what runs in a kernel of its own to the front."""
    items.sort(key=lambda item: item.get_closest_marker("ipvs") is None)
