"""Keys for hypothesis: text of all widths, every key that means something, and pieces of sequences."""

from __future__ import annotations

from hypothesis import strategies as st

TEXT = st.text(st.sampled_from("ab c/-_.漢字é\u0301\u0302🙂\u200b\u202e\u1160"), min_size=1, max_size=12)
CONTROL = st.sampled_from([bytes([number]) for number in range(32)] + [b"\x7f"])
_META = st.sampled_from([b"\x1b" + bytes([key]) for key in b"bfdulcy<>\x7fz"])
_CURSOR = st.sampled_from(
    [b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1bOH", b"\x1b[F", b"\x1b[3~", b"\x1b[1;5D", b"\x1b[9~"]
)
_PIECES = st.sampled_from([b"\x1b", b"\x1b[", b"\x1bO", b"\x1b]0;x", b"\xe6\xbc", b"\xff", b"\x1b[20", b"\x1b[M"])
_PASTE = st.builds(
    lambda text, end: b"\x1b[200~" + text.encode() + end,
    st.text(st.sampled_from("ab\n\r\t\x03漢\u0301"), max_size=8) | st.just("a\nrefuse\nb"),
    st.sampled_from([b"\x1b[201~", b"\x1b[201~", b""]),
)
_EDITS = st.sampled_from([b"\x01", b"\x02", b"\x02", b"\x05", b"\x06", b"\x7f", b"\x7f", b"\x04", b"\x14", b"\x16\t"])

KEYS = TEXT.map(str.encode) | CONTROL | _META | _CURSOR | _PIECES | _PASTE | _EDITS
_MORE_EDITS = st.sampled_from([b"\x15", b"\x19", b"\x1f", b"\x0b", b"\x10"])
EDITING = TEXT.map(str.encode) | _EDITS | _META | _CURSOR | _MORE_EDITS
"""Keys that stay in the line."""
