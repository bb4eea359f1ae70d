"""One chunk of a Zarr array as bytes: compressed, and with a checksum after it.

The codecs of every array of a run, all of them part of Zarr v3: `bytes` (little-endian), `blosc` (zstd, its bytes
shuffled), `crc32c` (four bytes more, the Castagnoli checksum of what is before them).
"""

from collections.abc import Sequence
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc

CRC_BYTES = 4


def codecs(dtype: np.dtype[Any]) -> list[dict[str, Any]]:
    """The codecs as the metadata of an array of this type say them."""
    shuffled = {
        "typesize": dtype.itemsize,
        "cname": "zstd",
        "clevel": 1,
        "shuffle": "shuffle",
        "blocksize": 0,
    }
    return [
        {"name": "bytes", "configuration": {"endian": "little"}} if dtype.itemsize > 1 else {"name": "bytes"},
        {"name": "blosc", "configuration": shuffled},
        {"name": "crc32c"},
    ]


def encoded(array: np.ndarray, shape: Sequence[int], empty: float) -> bytes:
    """The bytes of a chunk of `shape` that holds `array` at its beginning, and `empty` beyond the edge of the
    whole.
    """
    if array.shape != tuple(shape):
        whole = np.full(shape, empty, array.dtype)
        whole[tuple(map(slice, array.shape))] = array
        array = whole
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    packed = blosc.compress(little, b"zstd", 1, blosc.SHUFFLE)
    return packed + google_crc32c.value(packed).to_bytes(CRC_BYTES, "little")


def checksum(chunk: bytes) -> int | None:
    """The checksum that ends a chunk; None if what is before it has another, so that the chunk is damaged."""
    kept = int.from_bytes(chunk[-CRC_BYTES:], "little")
    return kept if google_crc32c.value(chunk[:-CRC_BYTES]) == kept else None


def decoded(chunk: bytes, dtype: np.dtype[Any], shape: Sequence[int]) -> np.ndarray:
    """The whole chunk as an array; its checksum was compared before."""
    flat = np.frombuffer(blosc.decompress(chunk[:-CRC_BYTES]), dtype.newbyteorder("<"))
    return flat.reshape(shape).astype(dtype, copy=False)
