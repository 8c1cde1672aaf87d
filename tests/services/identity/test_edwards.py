"""Points for which anybody can sign are told from keys, by the curve's own arithmetic."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from bastion.errors import BadPublicKey
from bastion.identity.authority import read_public_line
from bastion.identity.edwards import weak
from bastion.identity.keys import read_keys

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(one: Point, other: Point) -> Point:
    """RFC 8032 section 5.1.4, in affine form."""
    (x, y), (u, v) = one, other
    product = D * x * u * y * v
    return (
        (x * v + u * y) * pow(1 + product, -1, P) % P,
        (y * v + x * u) * pow(1 - product, -1, P) % P,
    )


def eightfold(point: Point) -> Point:
    for _ in range(3):
        point = add(point, point)
    return point


def on_curve(y: int) -> Point | None:
    """A point with this y, if there is one."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return x, y
    return None


def small_group() -> set[int]:
    """The y of all eight points of low order: multiples of one of order 8, found by clearing the large subgroup."""
    order = 2**252 + 27742317777372353535851937790883648493
    for y in range(2, 100):
        start = on_curve(y)
        if start is None:
            continue
        found: Point = (0, 1)
        for bit in bin(order)[2:]:
            found = add(found, found)
            if bit == "1":
                found = add(found, start)
        group = [(0, 1)]
        while (more := add(group[-1], found)) != (0, 1):
            group.append(more)
        if len(group) == 8:
            return {point[1] for point in group}
    raise AssertionError("no point of order 8")


SMALL = sorted(small_group())
SPELLINGS = [
    (spelling | sign << 255).to_bytes(32, "little")
    for y in SMALL
    for spelling in ({y, y + P} if y + P < 1 << 255 else {y})
    for sign in (0, 1)
]


def line(point: bytes) -> str:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + point
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def test_there_are_five_such_y() -> None:
    assert len(SMALL) == 5
    assert {eightfold(point) for y in SMALL if (point := on_curve(y)) is not None} == {(0, 1)}


@pytest.mark.parametrize("point", SPELLINGS, ids=bytes.hex)
def test_no_point_of_low_order_is_certified_or_believed(point: bytes) -> None:
    assert weak(point)
    with pytest.raises(BadPublicKey, match="not a"):
        read_public_line(line(point))
    x = base64.urlsafe_b64encode(point).decode().rstrip("=")
    assert read_keys({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}, "issuer") == ()


def test_keys_are_keys() -> None:
    for _ in range(50):
        point = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        assert not weak(point)
        assert read_public_line(line(point)) == line(point)
