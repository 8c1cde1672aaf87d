"""Every bound of the HTTP API, in one place. It shares its process, and its file descriptors, with the SSH side.

One connection carries one request: there is no keep-alive, so a client that was answered holds nothing. What is open at
the same time is counted from the moment it is accepted, the TLS handshake included.

Limits: many sources together can still push each other's idle connections out, though never more than MAX_CONNECTIONS
descriptors. Clients behind one proxy or address share one source's bounds.
"""

from __future__ import annotations

MAX_CONNECTIONS = 256
"""Open at once. Past it the oldest idle one of the busiest source is cut for each new one."""
MAX_PER_SOURCE = 64
"""The same for one source: an IPv4 address, or an IPv6 /64."""
FIRST_REQUEST = 10.0
"""Seconds from connecting to the last header of the request; the TLS handshake lies within them."""
WHOLE_REQUEST = 60.0
"""Seconds from that header until the connection must have ended: body, issuer, audit, answer."""
TLS_SHUTDOWN = 5.0
"""Seconds for the client to agree to the end of a TLS connection."""
LINGER = 5.0
"""Seconds in which the rest of a refused body is read and thrown away, so that its client can read why."""
MAX_BODY = 64 * 1024
"""Bytes of a request's body. It must come as it is: no Content-Encoding is accepted."""
MAX_POLICY_BODY = 256 * 1024
"""The same for a request with files of a policy, which is read only once its token was verified."""
BODY_TIMEOUT = 10
"""Seconds for the body."""
MAX_HEADER = 24 * 1024
"""Bytes of one header field: a token of 16 KiB fits."""
MAX_HEADERS = 64
"""Header fields of one request."""
MAX_SOURCES = 4096
"""Sources whose rate is remembered. The one that asked longest ago is forgotten first, which gives it a full bucket."""
MAX_STREAMS_A_TENANT = 128
"""Answers that go on (events, live sessions, recordings) at once, beside MAX_CONNECTIONS. No tenant takes another's, so
all may have as many as there are tenants times this: a file descriptor each."""
MAX_STREAMS_A_PERSON = 12
"""The same for one identity: a browser opens one for what changes and one for each session that is followed."""
HEARTBEAT = 15.0
"""Seconds after which a stream that has nothing to say says so, so that nobody between cuts it."""
STREAM_AGE = 3600.0
"""Seconds after which a stream of events ends and its client, which knows how, comes again with a proof that is new."""
STREAM_WRITE = 30.0
"""Seconds for a piece of a stream (at most 64 KiB) to be taken."""
