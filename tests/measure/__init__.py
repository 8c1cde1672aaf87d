"""Measures, not tests: what becomes of collections of real command lines. `python -m tests.measure FILE.jsonl …`"""
