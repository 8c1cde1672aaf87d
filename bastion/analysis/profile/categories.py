"""The categories of findings, and the MITRE ATT&CK technique that each is by default (attack.mitre.org, Enterprise).

A profile or a path pattern that knows better names its own technique.
"""

from __future__ import annotations

CATEGORIES = (
    "destroys-data",
    "privilege",
    "credential-access",
    "remote-code",
    "reverse-shell",
    "persistence",
    "exfiltration",
    "shell-escape",
    "sql-destructive",
    "stops-service",
    "undecidable",
)
TECHNIQUE_OF = {
    "destroys-data": "T1485",
    "privilege": "T1548",
    "credential-access": "T1552.001",
    "remote-code": "T1105",
    "reverse-shell": "T1059.004",
    "persistence": "T1543.002",
    "exfiltration": "T1048",
    "shell-escape": "T1059",
    "sql-destructive": "T1485",
    "stops-service": "T1489",
}
