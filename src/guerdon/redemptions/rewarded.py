"""Loyalty cards in redemptions: points pay for an order at the rate of a reward.

To the engine that is an amount off, as a gift card's is: what the points are worth that are asked for. What it used of
them is an entry on the card; a rollback gives points back in proportion, and with the last of the discount the exact
rest.
"""

from typing import Any

from msgspec import Struct

from guerdon.engine.checks import OnCard, Redeemable
from guerdon.engine.reasons import Reason
from guerdon.engine.terms import Terms
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.loyalty import compiled
from guerdon.loyalty.compiled import Coin, Program, Reward
from guerdon.loyalty.place import running
from guerdon.loyalty.v1_names import older, stored
from guerdon.loyalty.v1_rewards import from_newer, shown_parameters
from guerdon.redemptions.asks import RedeemAsk
from guerdon.redemptions.cards import paying
from guerdon.vouchers.locked import Voucher

LOYALTY = "LOYALTY_CARD"


class Paying(Struct, gc=False):
    """Points asked for, and what they are worth."""

    coin: Coin
    program: Program
    asked: int
    exponent: int

    def used(self, amount: int) -> int:
        """How many points a discount of so many minor units takes."""
        return min(self.asked, self.coin.cost(amount, self.exponent)) if amount else 0


def equip(seen: Any, ask: RedeemAsk, one: Any) -> None:
    """Tell a loyalty card's candidate what its points are worth, or why they cannot be spent."""
    voucher, redeemable, wanted = one.voucher, one.redeemable, one.asked.reward
    card = seen.book.cards.get(voucher.id)
    if card is None or voucher.kept is None:
        return
    held = seen.held(f"c:{voucher.id}", ask.session_key) if seen.holds else 0
    available = max(0, card.available(seen.now) - held)
    if wanted is None:
        redeemable.refused = (
            None if ask.open else (Reason.MISSING_REWARD, f"Name a reward for {voucher.code}")
        )
        one.points = available
        return
    program = compiled.program(seen.snapshot, stored("program", voucher.campaign_id or ""))
    redeemable.refused = _refusal(seen, ask, voucher, program)
    if program is None or redeemable.refused is not None:
        return
    coin = program.coins.get(stored("reward", wanted.id))
    if coin is not None and ask.order is None:
        redeemable.refused = (Reason.MISSING_ORDER, "An order is required when points pay.")
        return
    if coin is not None:
        _pay(seen, one, voucher, Paying(coin, program, _asked(ask, one), seen.exponent), available)
        return
    redeemable.refused = (Reason.NO_REWARD, f"The program of {voucher.code} has no reward {wanted.id!r}")


def _asked(ask: RedeemAsk, one: Any) -> int:
    if one.asked.reward.points is None:
        raise invalid_payload(
            Fault(f"redeemables[{one.place}].reward.points", "is required: how many points to pay with"),
            key="missing_param",
            message="Missing required parameter",
        )
    return one.asked.reward.points


def _refusal(
    seen: Any, ask: RedeemAsk, voucher: Voucher, program: Program | None
) -> tuple[Reason, str | None] | None:
    """Why the points of this card cannot be spent by this customer now."""
    if voucher.holder_id is None:
        return Reason.NOT_HELD, "Customer must be a holder of a loyalty card."
    if ask.customer is not None:
        known = seen.customers.find(ask.customer)
        if known is None or known.id != voucher.holder_id:
            return Reason.NOT_HELD, "Points are spent by the customer who holds the card."
    if program is None or not running(program, seen.now, seen.zone):
        return Reason.CAMPAIGN_DISABLED, voucher.code
    return None


def _pay(seen: Any, one: Any, voucher: Voucher, paid: Paying, available: int) -> None:
    redeemable: Redeemable = one.redeemable
    if one.paid is None:
        redeemable.rules += seen.snapshot.rules_of(paid.coin.assignment_id)
    one.paid = paid
    lots = [lot for lot in seen.book.cards[voucher.id].lots.values() if lot.open(seen.now)]
    ends = min((lot.expires_at for lot in lots if lot.expires_at is not None), default=None)
    redeemable.card = OnCard(paid.asked, available, "points", ends=ends)
    assert voucher.kept is not None
    redeemable.terms = worth_of(voucher, paid.coin.worth(min(paid.asked, available), paid.exponent))


def worth_of(voucher: Voucher, amount: int) -> Terms:
    """The terms of a loyalty card as those of so much off."""
    assert voucher.kept is not None
    return paying(voucher.kept, amount)


def shown(paid: Paying, points: int, tier_id: str | None = None) -> dict[str, Any]:
    """The reward as a redemption keeps and shows it: as it was then."""
    coin = paid.coin
    return {
        "id": older("reward", coin.id),
        "name": coin.name,
        "type": "COIN",
        "parameters": shown_parameters(coin.older["parameters"]),
        "assignment_id": coin.assignment_id,
        "loyalty_tier_id": tier_id,
        "customer": None,
        "voucher": None,
        "product": None,
        "sku": None,
        "metadata": {},
        "points": points,
        "object": "reward",
    }


def parameters_of(reward: Reward) -> dict[str, Any]:
    """What the older API says that a reward is."""
    return _said(reward)["parameters"]


def _said(reward: Reward) -> Any:
    return reward.older or from_newer(reward.type, {reward.type.lower(): reward.goods})


def given(reward: Reward, points: int, **more: Any) -> dict[str, Any]:
    """A reward that was bought, likewise."""
    said = _said(reward)
    return {
        "id": older("reward", reward.id),
        "name": reward.name,
        "type": said["type"],
        "parameters": shown_parameters(said["parameters"]),
        "assignment_id": reward.assignment_id,
        "loyalty_tier_id": None,
        "customer": None,
        "voucher": None,
        "product": None,
        "sku": None,
        "metadata": dict(reward.metadata),
        "points": points,
        "object": "reward",
    } | more
