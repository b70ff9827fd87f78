"""libnftables: nftables commands as text, run in one process with a context that stays open.

A thin binding, because Debian's own lies outside virtual environments. API: libnftables(3), libnftables-json(5).
"""

import ctypes
import struct
from typing import Any

import orjson

from netplugin import netlink
from netplugin.netlink import NETLINK_NETFILTER, NetlinkSocket

_LIBRARY = "libnftables.so.1"
_JSON = 1 << 4
_NUMERIC_PROTO = 1 << 7  # names of protocols come from a file that small systems lack
_NFT_MSG_GETGEN = (10 << 8) | 16
_NFTA_GEN_ID = 1
_NFGENMSG = struct.pack("=BBH", 0, 0, 0)


class NftablesError(Exception):
    """libnftables refused commands (none of them was applied), or cannot be used."""


class Nftables:
    """A context. It works in the network namespace of the thread that made it. Not thread-safe, blocking."""

    def __init__(self) -> None:
        """Raises NftablesError when the library is missing."""
        try:
            self._library = _load()
        except OSError as error:
            raise NftablesError(f"{_LIBRARY} cannot be loaded (Debian package libnftables1): {error}") from error
        self._context = self._library.nft_ctx_new(0)
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)
        self._netlink = NetlinkSocket(NETLINK_NETFILTER)

    def close(self) -> None:
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None
            self._netlink.close()

    def run(self, commands: str) -> None:
        """Run commands as one transaction: all or none. Raises NftablesError with the library's own words."""
        self._run(commands, 0)

    def list_json(self, command: str) -> list[dict[str, Any]]:
        """The objects of a `list …` command. Raises NftablesError, also when what is asked for does not exist."""
        output = self._run(command, _JSON | _NUMERIC_PROTO)
        objects: list[dict[str, Any]] = orjson.loads(output)["nftables"]
        return objects[1:]  # the first one describes the library

    def tables(self, family: str) -> list[str]:
        return [found["table"]["name"] for found in self.list_json(f"list tables {family}")]

    def generation(self) -> int:
        """A number that every change of any table in this namespace raises. Costs microseconds."""
        for _, payload in self._netlink.get(_NFT_MSG_GETGEN, _NFGENMSG):
            found = netlink.parse_attrs(payload, len(_NFGENMSG)).get(_NFTA_GEN_ID)
            if found is not None:
                return int.from_bytes(found, "big")
        raise NftablesError("the kernel does not tell the generation of its tables")

    def _run(self, commands: str, flags: int) -> bytes:
        self._library.nft_ctx_output_set_flags(self._context, flags)
        result = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        if result != 0:
            reason: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
            raise NftablesError(reason.decode(errors="replace").strip()[:2000] or f"result {result}")
        return output


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(_LIBRARY)
    context = ctypes.c_void_p
    library.nft_ctx_new.restype = context
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [context]
    library.nft_ctx_buffer_output.argtypes = [context]
    library.nft_ctx_buffer_error.argtypes = [context]
    library.nft_ctx_output_set_flags.argtypes = [context, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [context, ctypes.c_char_p]
    for getter in (library.nft_ctx_get_output_buffer, library.nft_ctx_get_error_buffer):
        getter.restype = ctypes.c_char_p
        getter.argtypes = [context]
    return library
