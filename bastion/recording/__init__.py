"""One recording a channel: written before anything is shown, whole up to its last byte after a crash."""
