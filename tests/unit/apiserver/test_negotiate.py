"""Content negotiation, with the answers that Kubernetes gives."""

import pytest

from kubeactors.apiserver.http.negotiate import (
    MediaForm,
    NotAcceptable,
    negotiate,
    negotiate_discovery,
    negotiate_failure,
    wants_pretty,
)

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    "header", ["", "*/*", "application/json", "text/html, */*;q=0.1", f"{TABLE.replace('v1', 'v9')},*/*"]
)
def test_plain_json(header: str) -> None:
    assert negotiate(header, collection=False, watch=False) == MediaForm()


def test_table_is_preferred_in_the_order_written() -> None:
    header = f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
    form = negotiate(header, collection=True, watch=False)
    assert (form.kind, form.version, form.yaml) == ("Table", "v1", False)


def test_quality_orders_clauses() -> None:
    assert negotiate("application/json;q=0.1, application/yaml;q=0.9", collection=False, watch=False).yaml


@pytest.mark.parametrize("header", ["text/html", "application/*", "image/png, text/plain", "APPLICATION/JSON"])
def test_the_router_refuses_types_that_no_route_produces(header: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        negotiate(header, collection=False, watch=False)
    assert caught.value.routed
    assert str(caught.value).startswith("406: Not Acceptable\n\nAvailable representations: application/json,")


def test_lists_name_their_stream_types_too() -> None:
    with pytest.raises(NotAcceptable, match="stream=watch"):
        negotiate("application/xml", collection=True, watch=False)


PROTOBUF = "application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize("header", [TABLE.replace("v=v1", "v=v9"), TABLE.replace("application/json", PROTOBUF)])
def test_the_serializer_refuses_parameters(header: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        negotiate(header, collection=False, watch=False)
    assert not caught.value.routed
    assert str(caught.value).endswith(f"application/json, application/yaml, {PROTOBUF}")


def test_custom_resources_are_no_protobuf_but_their_metadata_is() -> None:
    with pytest.raises(NotAcceptable):
        negotiate(PROTOBUF, collection=False, watch=False, protobuf=False)
    assert negotiate_failure(PROTOBUF).protobuf
    metadata = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    form = negotiate(metadata, collection=False, watch=False, protobuf=False)
    assert (form.protobuf, form.kind) == (True, "PartialObjectMetadata")
    both = negotiate(f"{PROTOBUF},application/json", collection=False, watch=False, protobuf=False)
    assert both == MediaForm()


@pytest.mark.parametrize("watch", [False, True])
def test_the_first_of_protobuf_and_json_counts(watch: bool) -> None:
    assert negotiate(f"{PROTOBUF},application/json", collection=True, watch=watch).protobuf
    assert negotiate(f"application/json,{PROTOBUF}", collection=True, watch=watch) == MediaForm()
    assert negotiate_discovery(PROTOBUF).content_type == PROTOBUF


def test_a_watch_is_never_yaml() -> None:
    with pytest.raises(NotAcceptable):
        negotiate("application/yaml", collection=True, watch=True)
    assert negotiate("application/json;stream=watch", collection=True, watch=True) == MediaForm()


def test_discovery_aggregates_only_the_known_version() -> None:
    assert negotiate_discovery(f"{AGGREGATED},application/json").kind == "APIGroupDiscoveryList"
    assert negotiate_discovery(f"{AGGREGATED.replace('v2', 'v9')},application/json").kind is None
    with pytest.raises(NotAcceptable):
        negotiate_discovery(AGGREGATED.replace("v2", "v2beta1"))


def test_pretty_by_query_then_by_agent() -> None:
    assert wants_pretty("1", "kubectl")
    assert not wants_pretty("false", "curl/8.0")
    assert wants_pretty("", "curl/8.0")
    assert not wants_pretty("", "kubectl/v1.37")


def test_a_clause_may_ask_for_indented_answers() -> None:
    assert negotiate("application/json;pretty=1", collection=False, watch=False).pretty
    assert not negotiate("application/json;pretty=true", collection=False, watch=False).pretty
