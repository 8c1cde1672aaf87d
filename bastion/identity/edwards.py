"""Points of ed25519 (RFC 8032) that are no keys: those of low order, for which anybody can make signatures.

A verifier that multiplies by the cofactor, or none, accepts for such a "key" what no private key ever signed. The
library checks that a point is on the curve, and not this.
"""

from __future__ import annotations

_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
"""One of the two `y` of the points of order 8; the other is its negative."""
_LOW_ORDER = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})


def weak(point: bytes) -> bool:
    """Whether 32 bytes encode a point of order 1, 2, 4 or 8, in whichever spelling, or are not its one spelling."""
    y = int.from_bytes(point, "little") & (1 << 255) - 1
    return len(point) != 32 or y >= _P or y in _LOW_ORDER
