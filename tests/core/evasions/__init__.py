"""Texts that try to get past the judgement of shell text, and what must come of them.

judge        one text under one policy: analysis and decision together
cage         a real shell with a canary: a program whose every run is written down
wrappings    texts around a text, which run it in another way
spellings    one word written in another way
generator    wrappings over spellings, at random; seeded, or drawn by hypothesis
"""
