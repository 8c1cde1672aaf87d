"""What may be shown? Bytes of a session's output in, the same bytes out, with the secrets in them replaced.

detector     the catalogue: what each kind of secret looks like (the data in detectors/)
validators/  what a pattern can not say: checksums, ranges, shapes
pattern      patterns as authors write them, bounded; tree: what is known of one without any input
plan         what is to be masked in one session, compiled once
finder       which detectors are worth running over a piece
masker       one stream: feed, release, flush; block: private keys; escapes: colour codes inside of secrets
columns/     the named fields of tables and of JSON
style        what stands where a secret stood
engine       google-re2, which is imported nowhere else
"""
