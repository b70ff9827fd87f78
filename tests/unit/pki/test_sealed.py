"""What is sealed can be read by its recipient, for its purpose, unchanged; by nobody else."""

import pytest

from kubeactors.pki.sealed import Recipient, SealedError, seal

TEXT = b"-----BEGIN PRIVATE KEY-----\nsecret\n" * 50


def test_the_recipient_reads_it() -> None:
    recipient = Recipient()
    message = seal(recipient.public_key, TEXT, b"keys for m1")
    assert b"PRIVATE" not in message
    assert recipient.open(message, b"keys for m1") == TEXT
    assert seal(recipient.public_key, TEXT, b"keys for m1") != message


def test_nobody_else_reads_it() -> None:
    recipient = Recipient()
    message = seal(recipient.public_key, TEXT, b"keys for m1")
    with pytest.raises(SealedError):
        Recipient().open(message, b"keys for m1")
    with pytest.raises(SealedError):
        recipient.open(message, b"keys for m2")


@pytest.mark.parametrize("place", [0, 31, 32, 43, 44, -1])
def test_a_changed_message_is_refused(place: int) -> None:
    recipient = Recipient()
    message = bytearray(seal(recipient.public_key, TEXT, b""))
    message[place] ^= 1
    with pytest.raises(SealedError):
        recipient.open(bytes(message), b"")


@pytest.mark.parametrize("length", [0, 31, 44, 59])
def test_a_short_message_is_refused(length: int) -> None:
    recipient = Recipient()
    message = seal(recipient.public_key, b"", b"")
    with pytest.raises(SealedError):
        recipient.open(message[:length], b"")
