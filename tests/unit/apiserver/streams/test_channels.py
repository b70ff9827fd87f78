"""The channel protocols of WebSockets, the options of a command, and the Status at its end."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.streams import channels, statuses
from kubeactors.apiserver.streams.channels import Codec, SizeReader
from kubeactors.apiserver.streams.options import command_options, forwarded_ports


def test_the_first_protocol_that_is_served_is_taken() -> None:
    assert channels.requested(["v5.channel.k8s.io, v4.channel.k8s.io", "x"]) == [
        "v5.channel.k8s.io",
        "v4.channel.k8s.io",
        "x",
    ]
    assert channels.choose(["y", "v4.channel.k8s.io", "channel.k8s.io"], channels.COMMAND_PROTOCOLS) == (
        "v4.channel.k8s.io"
    )
    assert channels.choose([], channels.COMMAND_PROTOCOLS) == ""
    assert channels.choose(["y"], channels.COMMAND_PROTOCOLS) is None


@given(st.sampled_from(channels.COMMAND_PROTOCOLS), st.integers(0, 4), st.binary(max_size=50))
def test_messages_go_there_and_back(protocol: str, channel: int, data: bytes) -> None:
    codec = Codec(protocol)
    assert codec.decode(codec.encode(channel, data)) == (channel, data)


@given(st.sampled_from(channels.COMMAND_PROTOCOLS), st.binary(max_size=50))
def test_any_message_is_decoded_or_ignored(protocol: str, message: bytes) -> None:
    decoded = Codec(protocol).decode(message)
    assert decoded is None or isinstance(decoded[1], bytes)


def test_how_messages_are_written() -> None:
    assert Codec("v4.channel.k8s.io").encode(1, b"a") == b"\x01a"
    assert Codec("base64.channel.k8s.io").encode(1, b"a") == b"1" + base64.b64encode(b"a")
    assert Codec("base64.channel.k8s.io").decode(b"0not base64!") is None
    assert Codec("v4.channel.k8s.io").decode(b"") is None


def test_a_token_among_the_protocols() -> None:
    token = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(b"se?cret").decode().rstrip("=")
    assert channels.bearer_token([token, "v4.channel.k8s.io"]) == "se?cret"
    assert channels.bearer_token([token]) is None
    assert channels.bearer_token([token, token, "x"]) is None
    assert channels.bearer_token(["base64url.bearer.authorization.k8s.io.%", "x"]) is None
    assert channels.bearer_token(["x", "y"]) is None
    assert channels.without_token(f"{token}, x") == "x"


def test_only_from_version_4_on_the_error_channel_is_json() -> None:
    with_json = {name for name in (*channels.COMMAND_PROTOCOLS, channels.V5) if Codec(name).json_status}
    assert with_json == {"v4.channel.k8s.io", "v4.base64.channel.k8s.io", "v5.channel.k8s.io"}


def test_sizes_out_of_a_stream_of_json() -> None:
    reader = SizeReader()
    assert reader.feed(b'{"Width":80,"Hei') == []
    assert reader.feed(b'ght":24}\n{"width":100,"height":40}{') == [(80, 24), (100, 40)]
    assert reader.feed(b'"Width":1}') == [(1, 0)]


@pytest.mark.parametrize(
    "text", [b"[1]", b"nonsense", b'{"Width":"x"}', b'{"Width":-1}', b'{"Width":1e9}', b"{" * 5000]
)
def test_what_is_no_size_ends_the_resizing(text: bytes) -> None:
    reader = SizeReader()
    assert reader.feed(text) == []
    assert reader.feed(b'{"Width":80,"Height":24}') == []


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes_are_sizes_or_ignored(pieces: list[bytes]) -> None:
    reader = SizeReader()
    for piece in pieces:
        for width, height in reader.feed(piece):
            assert 0 <= width < 65536 and 0 <= height < 65536


def test_options_of_a_command() -> None:
    query = [
        ("command", "sh"),
        ("command", "-c"),
        ("stdin", "1"),
        ("stdout", "true"),
        ("stderr", "0"),
        ("tty", "false"),
    ]
    options = command_options(query)
    assert options.command == ("sh", "-c")
    assert (options.stdin, options.stdout, options.stderr, options.tty) == (True, True, False, False)
    assert command_options([("tty", "1"), ("stderr", "1")]).stderr is False


def test_ports() -> None:
    assert forwarded_ports([("ports", "80"), ("ports", "81,82"), ("x", "y")]) == (80, 81, 82)
    for text in ("", "x", "0", "65536", "-1", "99999999999999999999999"):
        with pytest.raises(StatusError) as raised:
            forwarded_ports([("ports", text)])
        assert raised.value.code == 400
    with pytest.raises(StatusError):
        forwarded_ports([("ports", "80")] * 200)


def test_the_status_of_a_result() -> None:
    verb = "executing command"
    assert statuses.of_result(0, "", verb, ("x",), translated=True) == {"metadata": {}, "status": "Success"}
    failed = statuses.of_result(3, "", verb, ("sh", "-c", "exit 3"), translated=False)
    assert failed["reason"] == "NonZeroExitCode"
    assert failed["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}
    assert failed["message"] == (
        "command terminated with non-zero exit code: error executing command [sh -c exit 3], exit code 3"
    )
    broken = statuses.of_result(0, "no such file", verb, ("x",), translated=True)
    assert broken["message"] == "Internal error occurred: error executing command in container: no such file"
    assert "kind" not in broken and broken["code"] == 500


def test_how_a_status_is_written() -> None:
    assert statuses.encode(statuses.SUCCESS, as_json=False) == b""
    assert orjson.loads(statuses.encode(statuses.SUCCESS, as_json=True)) == {"metadata": {}, "status": "Success"}
    assert statuses.encode({"status": "Failure", "message": "m"}, as_json=False) == b"m"
