"""Keys: from the one secret of a deployment a key for each use, so that one may change and the others stay."""

import hashlib
import hmac

# Of HMAC (RFC 2104) with SHA-256: the length of a block in bytes, and with what the key is combined on either side.
BLOCK = 64
INNER, OUTER = 0x36, 0x5C
SHORTEST = 16


def derived(secret: bytes, use: str) -> bytes:
    """The key of 32 bytes for one use: HMAC-SHA256 of the name of the use under the secret."""
    return hmac.digest(secret, use.encode(), "sha256")


def pads(key: bytes) -> tuple[bytes, bytes]:
    """The two blocks (inner, outer) that an engine without HMAC puts before what it hashes: RFC 2104, section 2.

    HMAC(key, text) = SHA256(outer + SHA256(inner + text)).
    """
    block = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in block) for pad in (INNER, OUTER))
    return inner, outer


def keyed_hash(key: bytes, text: str) -> str:
    """What stands for a text under a key: HMAC-SHA256 as 64 hexadecimal digits."""
    return hmac.digest(key, text.encode(), "sha256").hex()
