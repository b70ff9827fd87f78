"""Kubernetes' protobuf encoding of API objects (media type application/vnd.kubernetes.protobuf).

Generated Go clients, kubectl among them, send what they create in this form, and ask for answers in it.
"""

from kubeactors.api.protobuf.decode import decode_object
from kubeactors.api.protobuf.encode import encode_event, encode_object, schema_of
from kubeactors.api.protobuf.wire import ProtobufError

__all__ = ["ProtobufError", "decode_object", "encode_event", "encode_object", "schema_of"]
