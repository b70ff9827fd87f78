"""Generated names and uids."""

from __future__ import annotations

import uuid

from kubeactors.apiserver.registry.names import generate_name, new_uid


def test_a_uid_is_a_random_uuid() -> None:
    made = [new_uid() for _ in range(1000)]
    assert len(set(made)) == 1000
    for text in made:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


def test_a_generated_name_is_a_label() -> None:
    assert len(generate_name("x" * 100)) == 63
    assert generate_name("web-").startswith("web-")
