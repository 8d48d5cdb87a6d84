"""Who takes which reward: households on their way home from the till, as a draw says that is the same every time."""

import hashlib
from collections.abc import Sequence

from guerdon.demo.club import store
from guerdon.demo.club.program import REWARDS
from guerdon.demo.club.store import Paid
from guerdon.kit import db
from guerdon.kit.errors import ApiError
from guerdon.loyalty.place import Place
from guerdon.loyalty.purchases import Wanted, buy
from guerdon.pages.club import Club

SHARE = 12
"""Of a hundred visits with enough points, in how many a reward is taken."""


async def take(
    conn: db.Conn, place: Place, club: Club, members: dict[str, str], paid: Sequence[Paid], seed: int
) -> int:
    """Buy what the day's visitors want; how many got it. One for which there are no goods left is passed over."""
    drawn = {one.customer_id: draw(seed, one.source_id) for one in paid}
    asking = {members[name]: number for name, number in drawn.items() if number % 100 < SHARE}
    balances = await store.balances(conn, place.project_id, club.program, list(asking))
    wanted: list[Wanted] = []
    for member_id, number in asking.items():
        within = [one for one in REWARDS if one.points <= balances.get(member_id, 0)]
        if within:
            chosen = within[number // 100 % len(within)]
            wanted.append(
                Wanted(program_id=club.program, member_id=member_id, reward_id=club.rewards[chosen.name])
            )
    if not wanted:
        return 0
    return sum(not isinstance(answer, ApiError) for answer in await buy(conn, place, wanted))


def draw(seed: int, basket: str) -> int:
    """A number for a basket, the same in every run with this seed."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{basket}".encode(), digest_size=6).digest(), "big")
