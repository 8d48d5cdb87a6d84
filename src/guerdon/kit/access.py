"""Access lines: one JSON object a request, gathered and written together, since a write a request would cost more
than answering it."""

import sys

import msgspec

from guerdon.kit import clock

FLUSH_AT = 256
FLUSH_SECONDS = 0.2

_lines: list[bytes] = []
_flushed = 0.0
_encode = msgspec.json.Encoder().encode

all_requests = False
"""Whether every request leaves a line, or only those that failed on our side."""


def access_line(
    request_id: str, method: str, path: str, status: int, seconds: float, project_id: str
) -> None:
    """Note one request."""
    global _flushed
    if not all_requests and status < 500:
        return
    _lines.append(
        _encode(
            {
                "level": "error" if status >= 500 else "info",
                "event": "request",
                "request_id": request_id,
                "method": method,
                "path": path,
                "status": status,
                "ms": round(seconds * 1000, 2),
                "project": project_id,
                "time": clock.iso(clock.process_now()),
            }
        )
    )
    now = clock.monotonic()
    if status >= 500 or len(_lines) >= FLUSH_AT or now - _flushed > FLUSH_SECONDS:
        _flushed = now
        flush()


def flush() -> None:
    """Write what is gathered."""
    if _lines:
        sys.stderr.buffer.write(b"\n".join(_lines) + b"\n")
        sys.stderr.buffer.flush()
        _lines.clear()
