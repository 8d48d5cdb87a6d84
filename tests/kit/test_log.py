"""Log lines: JSON, with the request's id, ours and the libraries' alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

SCRIPT = """
import logging
from guerdon.kit import log
log.configure({level!r}, {style!r})
log.bind_request(request_id="v-123")
log.get_logger().info("voucher imported", rows=3, odd=object)
logging.getLogger("library").warning("watch %s", "out")
log.clear_request()
log.get_logger().debug("too quiet")
try:
    1 / 0
except ZeroDivisionError:
    log.get_logger().exception("bug")
"""


def lines(level: str = "info", style: str = "json") -> list[str]:
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(level=level, style=style)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == ""
    return answer.stderr.splitlines()


def test_lines_are_json_and_carry_the_requests_id() -> None:
    ours, theirs, bug = [json.loads(line) for line in lines()]
    assert (ours["event"], ours["rows"], ours["level"], ours["request_id"]) == (
        "voucher imported",
        3,
        "info",
        "v-123",
    )
    assert ours["time"].endswith("Z")
    assert (theirs["event"], theirs["logger"], theirs["request_id"]) == ("watch out", "library", "v-123")
    assert "ZeroDivisionError" in bug["exception"]
    assert "request_id" not in bug


def test_the_level_is_kept() -> None:
    events: list[Any] = [json.loads(line)["event"] for line in lines("debug")]
    assert "too quiet" in events
    assert [json.loads(line)["event"] for line in lines("error")] == ["bug"]


def test_text_is_for_reading() -> None:
    assert any("voucher imported" in line and "rows" in line for line in lines(style="text"))
