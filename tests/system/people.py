"""Planted people: a table whose named columns hold nothing that may be seen, for the real databases."""

from __future__ import annotations

NAMED = frozenset({"email", "ssn", "card", "phone", "note"})
HEADER = ("id", "name", "email", "ssn", "card", "phone", "note", "balance")

PEOPLE: tuple[tuple[str | None, ...], ...] = (
    (
        "1",
        "Zoë Müller",
        "zoe.mueller@example.org",
        "123-45-6789",
        "4111 1111 1111 1111",
        "+44 20 7946 0958",
        None,
        "12.75",
    ),
    ("2", "王小明", "xiaoming@example.cn", "987-65-4321", "5500005555555559", None, "calls | on Mondays", "100.25"),
    (
        "3",
        "Ana | Paz",
        "ana@example.es",
        None,
        "371449635398431",
        "+34 600 000 001",
        "first line\nsecond, line",
        "-3.25",
    ),
    ("4", "Emoji 😀 x", "smile😀face@example.com", "078-05-1120", None, "+1 202 555 0143", 'she said "hello"', "0.5"),
    (
        "5",
        "O'Neil, Tim",
        "tim.oneil@example.ie",
        "219-09-9999",
        "6011000990139424",
        "+353 1 555 0100",
        "x\n\ny z",
        "7.25",
    ),
    ("6", "Ελένη", "eleni@example.gr", "457-55-5462", "3530111333300000", None, "表の中 wide 文字", "88.75"),
    ("7", "", "日本@example.jp", "", "36259611250004", "+81 3 5555 0100", "a, b; c", "5.25"),
)

PLANTED = tuple(
    piece
    for row in PEOPLE
    for name, cell in zip(HEADER, row, strict=True)
    if name in NAMED and cell
    for piece in cell.split("\n")
    if len(piece) > 3
)
"""What may not be seen: each line of each value, but for those too short to tell."""


def _literal(cell: str | None) -> str:
    return "NULL" if cell is None else "'" + cell.replace("'", "''") + "'"


def statements() -> str:
    """What makes the table, in the SQL that all of these databases know."""
    columns = ", ".join(
        f"{name} {'integer' if name == 'id' else 'varchar(9)' if name == 'balance' else 'varchar(200)'}"
        for name in HEADER
    )
    rows = ",\n".join("(" + ", ".join(map(_literal, row)) + ")" for row in PEOPLE)
    return f"CREATE TABLE people ({columns});\nINSERT INTO people VALUES\n{rows};\n"
