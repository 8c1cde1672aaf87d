"""The format of recordings, asciicast v2: encoding, reading, and mending a torn end. No I/O, no clock."""
