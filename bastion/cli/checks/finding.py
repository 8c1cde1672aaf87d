"""One thing that the doctor found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is `ok`, `warn` or `fail`; `about` one word; `remedy` what to do, empty when there is nothing to do."""

    level: str
    about: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<5} {self.about:<10} {self.text}"
        return f"{line}\n{'':<17}-> {self.remedy}" if self.remedy else line

    def as_data(self) -> dict[str, str]:
        return {"level": self.level, "about": self.about, "text": self.text, "remedy": self.remedy}


def ok(about: str, text: str) -> Finding:
    return Finding("ok", about, text)


def warn(about: str, text: str, remedy: str = "") -> Finding:
    return Finding("warn", about, text, remedy)


def fail(about: str, text: str, remedy: str) -> Finding:
    return Finding("fail", about, text, remedy)
