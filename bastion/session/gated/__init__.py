"""The gated shell: an interactive shell whose commands are judged one by one, beside the terminal of its programs."""
