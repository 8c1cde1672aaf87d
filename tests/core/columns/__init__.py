"""The masking of named columns: random tables as clients print them, cut anywhere."""
