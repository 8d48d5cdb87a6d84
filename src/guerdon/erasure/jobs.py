"""What the worker does for erasures."""

from guerdon.erasure.copies import erase_copies
from guerdon.erasure.erase import COPIES
from guerdon.kit.jobs import JobHandler

JOBS: dict[str, JobHandler] = {COPIES: erase_copies}
