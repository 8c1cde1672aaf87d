"""How much of one text is read. Past any of these a text is undecidable, whatever it says.

All are counted rather than timed, so that the same text has the same answer always; together they keep the hardest
text under 50 ms. The size of the text itself, and of its brackets, is bounded in guards.py, before the parser sees it.
"""

MAX_COMMANDS = 256
"""Simple commands in one text, those in substitutions and in shells' arguments included."""
MAX_LEVELS = 24
"""Substitutions, compound commands and shells inside one another."""
MAX_WORDS = 1024
"""Words that braces make of one text."""
MAX_STEPS = 3072
"""Nodes of the tree, words and parts that are looked at in one text, and in those inside it."""
MAX_JUDGED = 2048
"""Words of all commands together: those of a command inside another are judged once more for each level."""
MAX_PRINTED = 64 * 1024
"""Bytes of printed text, half of what Linux takes for one argument. Quotes inside quotes grow fourfold a level."""
MAX_FINDINGS = 64
"""Findings and reasons that are told of one text."""
MAX_TEXTS = 64
"""Texts inside the text that are read in turn: for a shell, or for a client of SQL."""
MAX_INSIDE = 16 * 1024
"""Bytes of all of them together: a text inside three others counts three times."""
MAX_OUTLINES = 192
"""Names in paths of which only a part is known, each counted in every folder that the text may be in."""
MAX_DETOURS = 1024
"""Words with `..` in them, each counted in every folder that the text may be in."""
