"""Texts that try to get past the judgement of shell text, and what must come of them.

judge        one text under one policy: analysis and decision together
target       a real shell with a canary: a program whose every run is written down
payloads     texts that run the canary
disguises    what turns a text into another one that does the same, or looks as if it did
generator    disguises over payloads, seeded; the same as a strategy of hypothesis
"""
