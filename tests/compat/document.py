"""`python tests/compat/document.py` writes docs/compatibility.md: which operations of the reference there are.

operations.tsv holds the facts: every operation the reference publishes, by its id, method and path. What we answer
is read off the routes, so the page cannot promise what is not there; a test compares it with the file.
"""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from guerdon.app import routes

HERE = Path(__file__).parent
OPERATIONS = HERE / "operations.tsv"
PAGE = HERE.parents[1] / "docs" / "compatibility.md"
INTRODUCTION = HERE / "introduction.md"

Place = tuple[str, str]  # method, and path with its parameters' names taken out

# What differs from the reference on purpose, by operation.
NOTES = {
    "add-vouchers-to-campaign": "any body that is not an object is taken as an empty one",
    "delete-campaign": "gone for callers at once; the async action clears up",
    "disable-campaign": "answers the campaign",
    "enable-campaign": "answers the campaign",
    "create-campaign": "`options.limit_policy`; more of `referral_program`: tiers, hold, caps",
    "list-promotion-tiers": "`is_available` goes by switches and dates, not by days of the week and hours",
    "delete-promotion-tier": "stacks that have it go on without it",
    "create-promotion-stack": "tiers of other campaigns too",
    "generate-random-code": "DISCOUNT_VOUCHER and GIFT_VOUCHER; 10 random characters unless `code_config` says otherwise, gift cards 16",
    "create-voucher": "DISCOUNT_VOUCHER and GIFT_VOUCHER; `gift.pin`",
    "update-voucher-balance": "also `start_date` and `expiration_date` of what is added",
    "list-voucher-transactions": "also `account`, that of the books; `page`, `total`",
    "delete-voucher": "what is on a card is taken off the books first",
    "import-vouchers": "any size, streamed; a report row by row",
    "import-vouchers-using-csv": "any size, streamed; `Value` in minor units; a report row by row",
    "import-vouchers-to-campaign": "any size, streamed; a report row by row",
    "import-vouchers-to-campaign-using-csv": "any size, streamed; a report row by row",
    "list-redemptions": "`voucher.active` is always the real value",
    "redeem-stacked-discounts": "discount codes, gift cards, promotion tiers and stacks; `options.explain`, `Idempotency-Key`",
    "validate-stacked-discounts": "discount codes, gift cards, promotion tiers and stacks; `options.explain`, `at`, `drafts`",
    "check-eligibility": "exact, uncached; `options.explain`, `at`, `drafts`",
    "examine-vouchers-qualification": "the older shape; POST /v1/qualifications does more",
    "examine-campaign-qualification": "campaigns of codes; an unused code of each is judged, limits included",
    "list-customer-activity": "from the events; orders and redemptions as they are now; no validations",
    "list-customer-activities": "the older shape",
    "validate-promotions": "the older shape; POST /v1/qualifications does more",
    "list-customer-redeemables": "codes so far",
    "release-validation-session": "what it holds of budgets goes with it",
    "rollback-redemption": "also a part, by `amount` or `items`",
    "rollback-stacked-redemptions": "also a part, by `amount` or `items`",
    "create-loyalty-program": "also `voucher.loyalty_card.clawback` and `.transfers`; not STANDALONE",
    "add-member": "a member already gets the card there is",
    "create-earning-rule": "also `caps`",
    "transfer-points": "points keep when they lapse, unless the program says `transfers: RESTART`",
    "adjust-member-pending-points": "`points` is the difference",
    "create-publication": "refusals are recorded; the answer's `channel` is API, lists show the one sent",
    "create-publication-1": "with any server key; one code",
    "list-publications": "also filters by `channel`, `metadata.…`; `starting_after_id` beyond page 1,000",
    "referrals-add-holders": "`consent` of each: somebody new without it is told of by no event",
    "referrals-add-holders-1": "`consent` of each: somebody new without it is told of by no event",
    "track-custom-event": "the event must have a schema, else 400",
    "createProgram": "names are unique; `happy_hours`; any number of parts",
    "updateProgram": "`happy_hours` at any time",
    "createCardDefinition": "custom events by the ids of their schemas, which are `ces_…` here",
    "createEarningRule": "`caps`, `points_formula`; what it names must be there",
    "updateEarningRule": "once it is no draft, another trigger is refused",
    "deleteEarningRule": "refused while a program has it",
    "deleteCardDefinition": "refused while a part or a program names it",
    "deleteReward": "refused while a program has it",
    "deleteTierStructure": "refused while a rule or a program names it",
    "createTier": "100 of a structure",
    "deleteTier": "refused while earning rules name it or members are in it",
    "create-export": "also `product` and `sku`; `Value` in minor units; what came before it was asked for",
    "get-export": "also `progress`; the file is kept for 30 days",
    "download-export": "also `/download/v1/exports/…`, which the export's `url` names, without a key",
    "create-order": "`amount` is the sum of the lines when they have amounts",
    "create-segment": "who passes a filter is told when it is asked; 20,000 listed, 100 with a filter",
    "delete-segment": "refused while a validation rule asks for it",
    "create-validation-rules": "segments and product collections that are named must be there",
    "delete-validation-rules": "its assignments go with it",
    "put-product-collection": "also `products` of a STATIC one",
    "create-category": "`hierarchy` is 1 unless said",
    "list-stacking-rules": "the defaults, without an id, until there are own ones",
    "delete-customer": "redemptions and orders stay for the books",
}


class Operation(Struct, frozen=True):
    """An operation of the reference."""

    group: str
    name: str
    method: str
    path: str

    @property
    def place(self) -> Place:
        """Where it is called."""
        return place(self.method, self.path)


def place(method: str, path: str) -> Place:
    """A method and a path, whatever its parameters are called."""
    return method, re.sub(r"{\w+}", "{}", path)


def read_operations() -> list[Operation]:
    """All operations the reference publishes."""
    with OPERATIONS.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [Operation(row["group"], row["operation"], row["method"], row["path"]) for row in rows]


def answered() -> dict[Place, str]:
    """Our routes that take a key: their place, and the path as we write it."""
    return {place(route.method, route.path): route.path for route in routes() if route.access != "public"}


def ours() -> list[tuple[str, str]]:
    """Method and path of the routes the reference does not have."""
    theirs = {operation.place for operation in read_operations()}
    return [(where[0], path) for where, path in answered().items() if where not in theirs]


def render() -> str:
    """The page."""
    operations, there = read_operations(), answered()
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(operation.group, []).append(operation)
    begun = [group for group, its in groups.items() if any(one.place in there for one in its)]
    count = sum(operation.place in there for operation in operations)
    parts = [INTRODUCTION.read_text().rstrip(), "", "## Operations", ""]
    parts += [
        f"{count} of the {len(operations)} operations the reference names are answered; {len(ours())} are ours.",
        "",
    ]
    for group in begun:
        parts += [f"### {group}", "", *_table(groups[group], there), ""]
    parts += ["### Ours", "", "| operation | status |", "|---|---|"]
    parts += [f"| `{method} {path}` | ours |" for method, path in ours()]
    parts += ["", "### Not yet", "", "| group | operations |", "|---|---|"]
    parts += [f"| {group} | {_names(its)} |" for group, its in groups.items() if group not in begun]
    return "\n".join(parts) + "\n"


def _table(operations: Iterable[Operation], there: dict[Place, str]) -> list[str]:
    lines = ["| operation | path | status | note |", "|---|---|---|---|"]
    for one in operations:
        status = "yes" if one.place in there else "not yet"
        note = NOTES.get(one.name, "") if status == "yes" else ""
        lines.append(f"| {one.name} | `{one.method} {one.path}` | {status} | {note} |")
    return lines


def _names(operations: list[Operation]) -> str:
    return ", ".join(one.name or f"`{one.method} {one.path}`" for one in operations)


if __name__ == "__main__":
    PAGE.write_text(render())
