"""Arrow columns straight from numbers: no Python object is ever made per row."""

import numpy as np
import pyarrow as pa

from examples.company.records import Flags, Ints

# Four hexadecimal digits at once, and where the eight groups of four stand in a printed UUID.
_HEX = np.frombuffer("".join(f"{four:04x}" for four in range(1 << 16)).encode(), dtype=np.uint32)
_UUID = np.dtype({"names": list("abcdefgh"), "formats": ["u4"] * 8, "offsets": [0, 4, 9, 14, 19, 24, 28, 32]})


def _strings(letters: np.ndarray) -> pa.StringArray:
    """One string per row of a (rows x width) matrix of ASCII codes."""
    rows, width = letters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(letters))


def digits(numbers: Ints, width: int) -> np.ndarray:
    """Decimal digits as ASCII codes, zero-padded: (rows x width)."""
    letters = np.empty((len(numbers), width), dtype=np.uint8)
    rest = np.asarray(numbers, dtype=np.int64)
    for place in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        letters[:, place] = digit + ord("0")
    return letters


def ids(prefix: str, numbers: Ints, width: int) -> pa.StringArray:
    """Identifiers such as C0000042. The caller chooses a width that holds the largest number."""
    letters = np.empty((len(numbers), len(prefix) + width), dtype=np.uint8)
    letters[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    letters[:, len(prefix) :] = digits(numbers, width)
    return _strings(letters)


def uuids(rng: np.random.Generator, rows: int) -> pa.StringArray:
    """Random identifiers in the layout of RFC 9562, version 4."""
    drawn = rng.integers(0, 1 << 16, (rows, 8), dtype=np.uint16)
    drawn[:, 3] = drawn[:, 3] & 0x0FFF | 0x4000
    drawn[:, 4] = drawn[:, 4] & 0x3FFF | 0x8000
    letters = np.full((rows, _UUID.itemsize), ord("-"), dtype=np.uint8)
    printed = letters.reshape(-1).view(_UUID)
    for place, group in enumerate(_UUID.names or ()):
        printed[group] = _HEX[drawn[:, place]]
    return _strings(letters)


def picked(pool: pa.Array | tuple[str, ...], codes: Ints, missing: Flags | None = None) -> pa.DictionaryArray:
    """The pool's entry at each code; null where missing."""
    entries = pool if isinstance(pool, pa.Array) else pa.array(pool, pa.string())
    distinct = entries.dictionary_encode()
    if len(distinct.dictionary) < len(entries):
        # Parquet files come out differently each time when a dictionary repeats an entry.
        entries, codes = distinct.dictionary, distinct.indices.to_numpy()[codes]
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=missing), entries)


def timestamps(at: Ints, missing: Flags | None = None) -> pa.Array:
    """Microseconds since 1970 as TIMESTAMP without a zone."""
    return pa.array(np.asarray(at, dtype=np.int64).view("datetime64[us]"), mask=missing)


def money(cents: Ints, missing: Flags | None = None) -> pa.Array:
    """Whole cents as an amount in the reporting currency."""
    return pa.array(np.asarray(cents) / 100.0, mask=missing)
