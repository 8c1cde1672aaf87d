"""May it? Policy as YAML, the engine that decides by it, and what its authors try it with. No clock.

    read      loader: files; rules: one rule; patterns, words, when, environment: what stands in it; schema: for editors
    decide    engine: one request; coverage: one rule and one command; model: which rules could be about it
    try       asker: who asks; explain: why; cases: verdicts that are expected; compare: two policies; told: as JSON

Only loader and cases read files.
"""
