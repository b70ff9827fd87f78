"""What is refused in managedFields that a client gives."""

from __future__ import annotations

import pytest

from kubeactors.api.validation.metadata import common_metadata_errors, field_manager_errors


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        (
            {"operation": "Create"},
            ['metadata.managedFields[0].operation: Invalid value: "Create": must be `Apply` or `Update`'],
        ),
        ({"fieldsType": "V2"}, ['metadata.managedFields[0].fieldsType: Invalid value: "V2": must be `FieldsV1`']),
        ({"manager": "m" * 129}, ["metadata.managedFields[0].manager: Too long: may not be more than 128 bytes"]),
        (
            {"subresource": "s" * 257},
            ["metadata.managedFields[0].subresource: Too long: may not be more than 256 bytes"],
        ),
    ],
)
def test_entries(change: dict[str, str], expected: list[str]) -> None:
    entry = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    found = common_metadata_errors({"managedFields": [{**entry, **change}]})
    assert [str(error) for error in found] == expected


def test_every_character_of_a_manager_that_cannot_be_printed_is_told() -> None:
    found = field_manager_errors("ä\x01\n", "fieldManager")
    assert [error.message for error in found] == [
        "invalid character U+0001 (at position 2)",
        "invalid character U+000A (at position 3)",
    ]
    assert not field_manager_errors("Müller", "fieldManager")
