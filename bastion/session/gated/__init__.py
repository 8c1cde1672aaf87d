"""The gated shell: a session of whole commands, each judged before the target's shell sees it."""
