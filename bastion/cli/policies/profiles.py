"""What the analysis knows of programs.

bastion policy profiles list              every program that has a profile
bastion policy profiles show tar          its options, by what follows from them
bastion policy profiles show --json git   the same for programs
bastion policy profiles schema            the JSON Schema of profile files, for editors
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bastion.analysis.profile.model import Effects, Operands, Option, Profile, Use, When


def configure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `profiles` to the subcommands of `bastion policy`."""
    parser = commands.add_parser(
        "profiles",
        help="show what the analysis knows of programs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(metavar="COMMAND", required=True)
    show = inner.add_parser(
        "show",
        help="one program: its options, by what follows from them",
        epilog="example: bastion policy profiles show --json tar",
    )
    show.add_argument("name", metavar="NAME", help="the program, such as tar or python3.11")
    show.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    show.set_defaults(command=_show)
    listing = inner.add_parser("list", help="every program", epilog="example: bastion policy profiles list --json")
    listing.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    listing.set_defaults(command=_list)
    inner.add_parser("schema", help="the JSON Schema of profile files").set_defaults(command=_schema)


def _show(arguments: argparse.Namespace) -> int:
    from bastion.analysis.profile.loader import shipped

    profile = shipped().find(arguments.name)
    if profile is None:
        print(
            f"bastion policy: no profile of {arguments.name!r}: nothing is claimed about what it does, and rules judge "
            "it by its name; `bastion policy profiles list` prints those there are",
            file=sys.stderr,
        )
        return 1
    if arguments.json:
        print(json.dumps(_told(profile), indent=2))
    else:
        print("\n".join(_lines(profile)))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from bastion.analysis.profile.loader import shipped

    profiles = sorted(shipped().profiles, key=lambda profile: profile.names)
    if arguments.json:
        print(json.dumps({"profiles": [{"names": list(p.names), "about": p.about, "file": p.file} for p in profiles]}))
        return 0
    for profile in profiles:
        print(f"{' '.join(profile.names)}: {profile.about}")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from bastion.analysis.profile.schema import schema

    print(json.dumps(schema(), indent=1))
    return 0


def _told(profile: Profile) -> dict[str, object]:
    return {
        "names": list(profile.names),
        "about": profile.about,
        "file": profile.file,
        **_use(profile.use),
    }


def _use(use: Use) -> dict[str, object]:
    told: dict[str, object] = {
        "style": use.style.value,
        "unknown": use.unknown.value,
        "options": _options(use.known_options),
        "operands": _operands(use.operands),
        "stdin": use.stdin or None,
        "when": [_when(when) for when in use.whens],
        **_effects(use.effects),
    }
    if use.commands:
        told["commands"] = {name.decode(): _use(inner) for name, inner in use.commands.items()}
        told["otherwise"] = use.otherwise.value
    return told


def _options(options: tuple[Option, ...]) -> dict[str, list[str]]:
    """Names by roles."""
    by_role: dict[str, list[str]] = {}
    for option in options:
        by_role.setdefault(",".join(option.roles), []).append(option.name.decode())
    return by_role


def _operands(operands: Operands) -> str:
    repeated = (f"{operands.repeated}*",) if operands.repeated else ()
    return " ".join([*operands.first, *repeated, *operands.last]) or "none"


def _effects(effects: Effects) -> dict[str, object]:
    told: dict[str, object] = {
        "code": effects.code,
        "changes": effects.changes,
        "interactive": effects.interactive,
        "categories": sorted(effects.categories),
        "techniques": sorted(effects.techniques),
    }
    return {name: value for name, value in told.items() if value}


def _when(when: When) -> dict[str, object]:
    from bastion.analysis.profile.loader import MANY

    told: dict[str, object] = {
        "given": sorted(name.decode() for name in when.given),
        "also": sorted(name.decode() for name in when.also),
        "missing": sorted(name.decode() for name in when.missing),
        "at_least": when.at_least,
        "at_most": when.at_most if when.at_most < MANY else 0,
        "operands": _operands(when.operands) if when.operands else "",
        "stdin": when.stdin,
        "archives": when.archives,
    }
    return {**{name: value for name, value in told.items() if value}, **_effects(when.effects)}


def _lines(profile: Profile) -> Iterator[str]:
    yield f"{' '.join(profile.names)}: {profile.about} ({profile.file})"
    yield from _use_lines(profile.use, "  ")


def _use_lines(use: Use, indent: str) -> Iterator[str]:
    for role, names in sorted(_options(use.known_options).items()):
        yield f"{indent}{role}: {' '.join(sorted(names))}"
    yield f"{indent}an option that is not listed: {use.unknown.value}"
    yield f"{indent}operands: {_operands(use.operands)}"
    if use.stdin:
        yield f"{indent}standard input, when nothing else says what to run: {use.stdin}"
    for name, value in _effects(use.effects).items():
        yield f"{indent}{name}: {_text(value)}"
    for when in use.whens:
        yield f"{indent}when " + "; ".join(f"{name} {_text(value)}" for name, value in _when(when).items())
    shown: set[int] = set()
    for inner in use.commands.values():
        if id(inner) not in shown:
            shown.add(id(inner))
            names = [name.decode() for name, same in use.commands.items() if same is inner]
            yield f"{indent}{' '.join(names)}:"
            yield from _use_lines(inner, indent + "  ")
    if use.commands:
        yield f"{indent}a subcommand that is not listed: {use.otherwise.value}"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
