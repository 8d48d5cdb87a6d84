"""Ids: a prefix that names the kind and 22 characters, the first eight of which are the time.

Ids made one after the other sort that way, so that new rows land at the right edge of an index instead of all
over it; the other 14 characters (83 bits) are random. They are names, not secrets.
"""

import os
import time

ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 14

# A random byte stands for one of 62 characters; eight of them come a little more often, which costs a bit in all.
_CHARACTERS = bytes(ALPHABET[byte % len(ALPHABET)] for byte in range(256))

PREFIXES = {
    "project": "proj_",
    "api_key": "key_",
    "customer": "cust_",
    "product": "prod_",
    "sku": "sku_",
    "order": "ord_",
    "order_line": "ordli_",
    "campaign": "camp_",
    "terms": "terms_",
    "voucher": "v_",
    "validation": "valid_",
    "redemption": "r_",
    "failed_redemption": "rf_",
    "rollback": "rr_",
    "failed_rollback": "rrf_",
    "category": "cat_",
    "metadata_schema": "ms_",
    "collection": "pc_",
    "segment": "seg_",
    "validation_rule": "val_",
    "assignment": "asgm_",
    "promotion_tier": "promo_",
    "promotion_stack": "stack_",
    "stacking_rules": "stk_",
    "session": "ssn_",
    "qualification": "qfl_",
    "event": "ev_",
    "job": "job_",
    "async_action": "aa_",
    "deletion": "del_",
    "tracking": "track_",
    "publication": "pub_",
    "custom_event": "evcus_",
    "custom_event_schema": "ces_",
    "card_entry": "vtx_",
    "export": "exp_",
    "lot": "lopb_",
    "return": "ret_",
    "loyalty_program": "lprg_",
    "card_definition": "lcdef_",
    "earning_rule": "lern_",
    "earning_item": "lernei_",
    "loyalty_reward": "lrew_",
    "reward_cost": "lrcst_",
    "reward_spending": "lrspn_",
    "benefit": "lben_",
    "tier_structure": "lts_",
    "loyalty_tier": "lt_",
    "member": "lmbr_",
    "pending_points": "lopp_",
    "earning": "lerg_",
    "tier_change": "lttx_",
    "reward_purchase": "lrtx_",
    "order_payment": "lotx_",
    "benefit_transaction": "lbtx_",
    "reward_assignment": "rewa_",
    "holder": "rh_",
    "referral": "rfr_",
    "referral_tier": "rft_",
    "referral_reward": "rfw_",
}


def new_id(kind: str) -> str:
    """A new id of a kind named in PREFIXES, such as ``cust_0VbgMCBClDpQa9juyazFp2``."""
    return PREFIXES[kind] + _time_part() + _random_part()


def new_ids(kind: str, count: int) -> list[str]:
    """Many ids of one kind; they share the time part."""
    start = PREFIXES[kind] + _time_part()
    return [start + _random_part() for _ in range(count)]


_last = (0, "")


def _time_part() -> str:
    """Milliseconds since 1970 in base 62, eight characters; enough until the year 8888."""
    global _last
    now = time.time_ns() // 1_000_000
    if now != _last[0]:
        rest, text = now, bytearray(8)
        for place in range(7, -1, -1):
            rest, digit = divmod(rest, len(ALPHABET))
            text[place] = ALPHABET[digit]
        _last = (now, text.decode())
    return _last[1]


# One system call for 256 ids: os.urandom costs more than all the rest of an id.
_pool = ""
_position = 0


def _random_part() -> str:
    global _pool, _position
    if _position >= len(_pool):
        _pool, _position = os.urandom(RANDOM_LENGTH * 256).translate(_CHARACTERS).decode(), 0
    _position += RANDOM_LENGTH
    return _pool[_position - RANDOM_LENGTH : _position]


def _forget() -> None:
    global _pool
    _pool = ""


os.register_at_fork(after_in_child=_forget)  # a child must not repeat its parent
