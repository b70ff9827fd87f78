import orjson
import pytest

from kubeactors.apiserver.storage.encoding import (
    decode_item,
    stored_of,
    to_item,
    to_stored,
    to_wire,
    wire_head,
    with_revision,
)

POD = {
    "kind": "Pod",
    "apiVersion": "v1",
    "spec": {"nodeName": "n"},
    "metadata": {"name": "a", "namespace": "ns", "resourceVersion": "4", "managedFields": [{}]},
}


def test_stored_form_begins_with_metadata_and_leaves_out_what_the_store_knows() -> None:
    stored = to_stored(POD)
    assert stored.startswith(b'{"metadata":{')
    assert orjson.loads(stored) == {
        "metadata": {"name": "a", "namespace": "ns", "managedFields": [{}]},
        "spec": {"nodeName": "n"},
    }
    assert POD["metadata"]["resourceVersion"] == "4", "the object itself is left alone"


def test_item_and_whole_object_are_cut_together() -> None:
    item = to_item(to_stored(POD), 12)
    assert orjson.loads(item)["metadata"] == {**POD["metadata"], "resourceVersion": "12"}
    whole = orjson.loads(to_wire(wire_head("v1", "Pod"), item))
    assert (whole["kind"], whole["apiVersion"], whole["spec"]) == ("Pod", "v1", {"nodeName": "n"})
    assert whole == decode_item(item, "v1", "Pod")


def test_version_can_be_replaced_and_taken_out() -> None:
    item = to_item(to_stored(POD), 12)
    assert with_revision(item, 9999) == to_item(to_stored(POD), 9999)
    assert stored_of(item) == to_stored(POD)


@pytest.mark.parametrize("stored", [b"", b"{}", b'{"metadata":{}}', b"k8s\0protobuf", b'{"kind":"Pod"}'])
def test_what_this_server_did_not_write_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="not an object's stored form"):
        to_item(stored, 1)
