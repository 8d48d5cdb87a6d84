"""Tracking ids: names of customers for the outside, which tell nothing of their source ids."""

import base64
import hashlib
from typing import Any


def tracking_id(sent: str | None, customer: Any) -> str | None:
    """The tracking id that was sent, else one made of the customer's source id; it tells nothing of the latter."""
    if sent:
        return sent
    source_id = customer.source_id if customer is not None else None
    if not source_id:
        return None
    digest = hashlib.blake2b(source_id.encode(), digest_size=18).digest()
    return "track_" + base64.urlsafe_b64encode(digest).decode()
