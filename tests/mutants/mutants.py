"""Mistakes that would cost money, as data: each is one small edit, and names the tests that have to notice."""

from msgspec import Struct

ENGINE = ("tests/engine", "tests/laws/test_money_laws.py", "tests/laws/test_rollback_laws.py")
EFFECTS = ("tests/engine/test_effects.py", "tests/engine/test_decide.py", "tests/laws/test_money_laws.py")
DECIDE = ("tests/engine/test_decide.py", "tests/engine/test_effects.py", "tests/laws/test_money_laws.py")
UPGRADES = ("tests/engine/test_replacing.py", "tests/laws/test_replacing.py")
ROLLBACK = ("tests/engine/test_rollback.py", "tests/laws/test_rollback_laws.py")
WINDOW = ("tests/engine/test_window.py", "tests/engine/test_decide.py")
ROLLBACKS = ("tests/api/test_rollbacks.py",)
REDEMPTIONS = ("tests/api/test_redemptions.py",)
KEYS = ("tests/api/test_idempotency.py",)
GUESSING = ("tests/api/test_guessing.py",)
DOUBT = ("tests/crash/test_doubt.py",)
RACES = ("tests/races/test_races.py",)
LIMIT_RACES = ("tests/races/test_limits.py",)
LIMITS = ("tests/api/test_limits.py", "tests/crash/test_books_limits.py")
RULE_LIMITS = ("tests/engine/test_rule_limits.py",)
SESSIONS = ("tests/api/test_sessions.py",)
SCOPES = ("tests/engine/test_scope.py", "tests/engine/test_effects_items.py")
STACKING = ("tests/engine/test_stacking.py",)
BOOKS = ("tests/crash/test_books.py",)
PUBLICATIONS = ("tests/api/test_publications.py",)
PUBLICATION_RACES = ("tests/races/test_publications.py",)
CARDS_STACKED = ("tests/engine/test_cards.py",)
CARDS_SOLD = ("tests/api/test_gift_cards_sold.py", "tests/races/test_cards_sold.py")
PINS = ("tests/api/test_gift_cards_pins.py",)
PIN_RACES = ("tests/races/test_pins.py",)
REACH = ("tests/api/test_ledger_reach.py",)
PURCHASES = ("tests/api/test_purchases.py",)
REFUNDS = ("tests/api/test_purchases_refunds.py",)
PAYMENTS = ("tests/api/test_purchases_payments.py",)
AUTO_REDEEM = ("tests/api/test_purchases_auto.py",)
BENEFITS = ("tests/api/test_benefits.py",)
REWARD_RACES = ("tests/races/test_rewards.py",)
REPORTS = ("tests/api/test_loyalty_reports.py",)
LOYALTY_CARDS = ("tests/api/test_loyalty_cards.py",)
LOYALTY_EDGES = ("tests/api/test_loyalty_edges.py",)
REFERRALS = ("tests/api/test_referrals.py",)
REFERRAL_RACES = ("tests/races/test_referrals.py",)


class Mutant(Struct, frozen=True):
    """`old`, which stands once in the file (below src/guerdon), becomes `new`; one of `tests` must fail then."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    # Limits: the lock, the count and what the database says a second time.
    Mutant("codes are read without a lock", "vouchers/locked.py",
           'LOCK = LOOK + " for update of v"', 'LOCK = LOOK + ""', RACES),
    Mutant("redemptions are read without a lock", "redemptions/gather.py",
           "order by r.id for update of r", "order by r.id", RACES),
    Mutant("no CHECK on the limit", "migrations/0001_ground.sql",
           "check (quantity is null or redeemed_quantity <= quantity),", "", BOOKS),
    Mutant("no CHECK on what is returned", "migrations/0001_ground.sql",
           "returned_amount <= amount", "returned_amount <= amount + 1", BOOKS),
    Mutant("no CHECK against a negative count", "migrations/0001_ground.sql",
           "redeemed_quantity bigint not null default 0 check (redeemed_quantity >= 0)",
           "redeemed_quantity bigint not null default 0", BOOKS),
    Mutant("no CHECK on an order's total", "migrations/0001_ground.sql",
           "check (total_amount = amount - total_discount_amount)", "check (true)", BOOKS),
    Mutant("one use more than the limit", "engine/checks.py",
           "quantity is not None and used >= quantity:", "quantity is not None and used > quantity:", DECIDE),
    Mutant("the use is not written", "vouchers/locked.py",
           "set redeemed_quantity = v.redeemed_quantity + t.uses,", "set redeemed_quantity = v.redeemed_quantity,", DOUBT),
    Mutant("a batch does not see its own uses", "vouchers/locked.py",
           "self.redeemed_quantity += count", "self.redeemed_quantity += 0", DOUBT + REDEMPTIONS),
    Mutant("a code is not pinned to the terms it was used under", "vouchers/locked.py",
           "self.terms_id = self.in_force", "pass", BOOKS),
    Mutant("a code is pinned without its limit", "vouchers/locked.py",
           "self.quantity = self.kept.terms.quantity", "pass", BOOKS),
    Mutant("a deleted code can be redeemed", "vouchers/locked.py",
           "v.deleted_at is null and c.deleted_at is null as living", "true as living", REDEMPTIONS + BOOKS),
    # What limits of rules count.
    Mutant("tallies are read without a lock", "redemptions/tallies.py",
           'LOCK = LOOK + " for update of t"', 'LOCK = LOOK + ""', LIMIT_RACES),
    Mutant("what is used is not written", "redemptions/record.py",
           "await tallies.write(conn, project_id, writes.tallies)", "pass", LIMITS),
    Mutant("a limit does not count this redemption", "engine/conditions_limits.py",
           "test(used + own, ", "test(used, ", RULE_LIMITS),
    Mutant("what was before a limit is not counted", "redemptions/tallies.py",
           "await _count(conn, project_id, [one for one in missing if one.by not in new], zone, counted)", "pass",
           LIMITS),
    Mutant("a limit that comes back goes on where it was", "engine/tally.py",
           'return f"{redeemable.campaign_id}@{redeemable.campaign_epoch}"', 'return f"{redeemable.campaign_id}@0"',
           LIMITS),
    Mutant("codes without rules do not count for their campaign", "redemptions/candidates.py",
           "limits = counted.union(", "limits = frozenset[str]().union(", LIMITS),
    Mutant("a batch does not see what it used itself", "redemptions/redeem.py",
           "seen.tallies[key] += amount", "seen.tallies[key] += 0", LIMIT_RACES),
    Mutant("two codes count the order twice", "engine/tally.py",
           "worth = 0 if key in valued else order_amount", "worth = order_amount", LIMITS),
    Mutant("PARTIAL gives more than is left", "engine/attempt.py",
           'cut(effect, left, "budget", steps)', 'cut(effect, left + 1, "budget", steps)', LIMITS),
    Mutant("a rollback gives nothing back to limits", "redemptions/rollback.py",
           "    _count_back(seen, redemption, part, last, writes)\n", "", LIMITS),
    Mutant("units of a budget do not come back", "redemptions/redeem.py", "units[key] = amount", "pass", LIMITS),
    Mutant("what others hold is forgotten", "redemptions/counted.py",
           "{key: used + seen.held(key, session_key) for", "{key: used for", SESSIONS),
    Mutant("a session is in its own way", "redemptions/gather.py",
           "for hold in holds if hold.session_key != session_key", "for hold in holds", SESSIONS),
    Mutant("definitions may change under a batch", "redemptions/batch.py",
           "        await hold(conn, project_id)\n", "", LIMITS),
    # Commit, keys and events.
    Mutant("an answer leaves though its COMMIT got lost", "redemptions/batch.py",
           "            raise CommitInDoubt(Doubt(asks, writes.rows[0].id, replies)) from lost",
           "            return replies", DOUBT),
    Mutant("a lost COMMIT is simply done again", "redemptions/batch.py",
           "if doubt is not None and await", "if False and doubt is not None and await", DOUBT),
    Mutant("a doubt is forgotten when the batch is cut up", "kit/lane.py",
           "doubt is not None and doubt.is_about(requests)", "doubt is not None and doubt.requests is requests", DOUBT),
    Mutant("a lost COMMIT is taken for done", "redemptions/batch.py",
           "if doubt is not None and await db.value(conn, WRITTEN, project_id, doubt.written) is not None:",
           "if doubt is not None:", DOUBT),
    Mutant("a redemption's answer is not kept under its key", "redemptions/record.py",
           "await idempotency.keep_all(conn, project_id, writes.kept)", "pass", KEYS),
    Mutant("a taken key is taken again", "kit/idempotency.py",
           "on conflict (project_id, key) do nothing", "on conflict (project_id, key) do update set status = 0", KEYS),
    Mutant("a key serves for another request", "kit/idempotency.py",
           "if stored.fingerprint != mark:", "if False:", KEYS),
    Mutant("no event is written", "redemptions/record.py",
           "await outbox.emit_for(conn, project_id, writes.events, writes.request_ids)", "pass", DOUBT),
    Mutant("unknown codes are not counted", "redemptions/gather.py",
           "unknown.get(ask.caller.key_id, 0) + 1", "unknown.get(ask.caller.key_id, 0) + 0", GUESSING),
    Mutant("one guess more than allowed", "redemptions/redeem.py",
           "seen.misses.get(ask.caller.key_id, 0) >= guesses", "seen.misses.get(ask.caller.key_id, 0) > guesses", GUESSING),
    # Rollbacks.
    Mutant("a redemption can be rolled back twice", "redemptions/rollback.py",
           'if t.status == "SUCCEEDED" and (ask', 'if t.result == "SUCCESS" and (ask',
           ROLLBACKS),
    Mutant("what came back is not summed", "redemptions/rollback.py",
           "redemption.returned_amount += part.total", "redemption.returned_amount = part.total", ROLLBACKS + BOOKS),
    Mutant("what came back is forgotten", "redemptions/rollback.py",
           "if redemption.returned is not None:", "if False:", ROLLBACKS),
    Mutant("a rollback keeps the use", "redemptions/rollback.py", "voucher.use(-1)", "pass", ROLLBACKS),
    Mutant("a part of a rollback gives the use back", "redemptions/rollback.py",
           "    if last:\n        redemption", "    if part.total:\n        redemption", ROLLBACKS),
    Mutant("the order keeps a discount that came back", "redemptions/rollback.py",
           "order = give_back(order, part)", "pass", ROLLBACKS),
    Mutant("more comes back than is left", "engine/rollback.py",
           "if not 1 <= amount <= allotment.left:", "if amount < 1:", ROLLBACK),
    Mutant("units are reckoned one by one, so the odd cent is lost", "engine/rollback.py",
           "half_up(part.given * (part.taken_units + quantity), part.units)",
           "part.taken + half_up(part.given * quantity, part.units)", ROLLBACK),
    Mutant("an earlier redemption shows the lines of a later one", "orders/locked.py",
           "await freeze(conn, project_id, [x.id or \"\" for x in o])", "pass", BOOKS),
    # Arithmetic.
    Mutant("halves go to the even number, by way of float", "engine/money.py",
           "return (2 * numerator + denominator) // (2 * denominator)", "return round(numerator / denominator)", EFFECTS),
    Mutant("halves go down", "engine/money.py",
           "return (2 * numerator + denominator) //", "return (2 * numerator + denominator - 1) //", EFFECTS),
    Mutant("the odd cents of a split are lost", "engine/money.py",
           "for _, index in remainders[:missing]:", "for _, index in remainders[: missing - 1]:", EFFECTS),
    Mutant("odd cents go to the smallest remainders", "engine/money.py",
           "remainders.sort(reverse=True)", "remainders.sort()", EFFECTS),
    Mutant("the cap of a discount on the order is ignored", "engine/effects.py",
           'off = _capped(off, discount.amount_limit, "amount_limit", steps)\n', "pass\n", EFFECTS),
    Mutant("an upgrade takes units that have their discount", "engine/replacing.py",
           "worth <= left and worth", "worth", UPGRADES),
    Mutant("something cheaper brings the order below nothing", "engine/replacing.py",
           " and worth - comes <= self.room", "", UPGRADES),
    Mutant("goods leave though others' discounts are on them", "engine/rollback.py",
           "taken.added if _may_go(items, taken.added) else ():", "taken.added:", UPGRADES),
    Mutant("bundles multiply though they should not", "engine/attempt.py",
           "if rule_set.bundle.multiplies else", "if True else", ("tests/engine/test_formed.py",)),
    Mutant("lines may go below what is left of the order", "engine/effects.py",
           'budget = _capped(wanted, left, "order_total", steps)', "budget = wanted", EFFECTS),
    Mutant("the second code sees the price before the first", "engine/walk.py",
           "move_on(facts, running, outcome)", "pass", DECIDE),
    Mutant("lines go on showing what an earlier code applied", "engine/attempt.py",
           "running.stale = order.items is not before.items", "running.stale = False", DECIDE),
    Mutant("ALL redeems what remains", "engine/walk.py",
           "valid = company.count > 0 and (failed is None or not all_or_none)", "valid = company.count > 0",
           DECIDE),
    Mutant("limits of amounts over several lines are ignored", "engine/scope.py",
           "    maker.cap(chosen)\n", "", SCOPES),
    Mutant("an exclusive code may stand beside a common one", "engine/stacking.py",
           'if group == "common" and self.exclusive:', 'if group == "exclusive" and self.exclusive:', STACKING),
    Mutant("the margin floor is ignored", "engine/attempt.py",
           "if off - added <= room:", "if off:", STACKING),
    # Time.
    Mutant("valid at the instant of its end", "engine/window.py", "late = now >= end", "late = now > end", WINDOW),
    Mutant("a frame is open at the instant it closes", "engine/window.py",
           "        if now >= closes:\n            return False", "        if now > closes:\n            return False", WINDOW),
    # Publications: no code twice, none left while somebody is refused.
    Mutant("codes to give are read without a lock", "vouchers/given.py",
           '    for update of v\n"""\nPICK_FREE: LiteralString = PICK + " skip locked"',
           '"""\nPICK_FREE: LiteralString = PICK + ""', PUBLICATION_RACES),
    Mutant("nobody waits for what others may leave", "publications/pick.py",
           "return await pick(wait=False) or await pick(wait=True)", "return await pick(wait=False)", PUBLICATION_RACES),
    Mutant("several are refused while others hold them", "publications/pick.py",
           "                    raise _TooFew", "                    return []", PUBLICATION_RACES),
    Mutant("codes that somebody holds are given away", "vouchers/given.py",
           "v.published_count = 0 and v.holder_id is null", "v.published_count = 0", PUBLICATIONS),
    Mutant("a code is given without its terms", "vouchers/given.py",
           "terms_id = t.terms_id, quantity = t.quantity, updated_at = now()", "updated_at = now()", PUBLICATIONS),
    Mutant("whoever joined once joins again", "publications/publish.py",
           "    if once:", "    if False:", PUBLICATIONS),
    # Rewards: no stock oversold, nothing had twice.
    Mutant("rewards are sold beyond their stock", "loyalty/quote.py",
           "if left is not None and left <= 0:", "if False:", PURCHASES),
    Mutant("the stock is read without a lock", "loyalty/purchases_store.py",
           "order by a.program_id, a.part_id for update of a", "order by a.program_id, a.part_id", REWARD_RACES),
    Mutant("what a session keeps is spent", "loyalty/quote.py",
           " - facts.kept.get(card.id, 0))", ")", PURCHASES),
    Mutant("what was used is refunded", "loyalty/refunds.py",
           "if taken.used and not back.policies.force:", "if False:", REFUNDS),
    Mutant("a refund does not close its purchase", "loyalty/refunds.py",
           'purchase.status, purchase.updated_at = "REFUNDED", page.place.now', "pass", REFUNDS),
    Mutant("points pay more than the order costs", "loyalty/payments.py",
           "if row.amount > found.total - found.paid:", "if row.amount > found.total:", PAYMENTS),
    Mutant("what came back once comes back again", "loyalty/payments.py",
           "return row.points - keeps - row.returned", "return row.points - keeps", PAYMENTS),
    Mutant("a customer has no day's limit", "loyalty/auto_redeem.py",
           "count > 0 and times[one.customer_id] < MOST_A_DAY", "count > 0", AUTO_REDEEM),
    Mutant("benefits have no stock", "loyalty/fulfil.py",
           "if found.stock is not None and gone >= found.stock:", "if False:", BENEFITS),
    # Reports are the sums of the entries; cards by hand.
    Mutant("a day is added to all days alone", "loyalty/days.py",
           "(values (g.day), ($3::date))", "(values ($3::date), ($3::date))", REPORTS),
    Mutant("what is not folded is missing in the sum of all days", "loyalty/reports.py",
           "n.kind = $3 and n.id <> ''", "n.kind = $3 and n.id = 'never'", REPORTS),
    Mutant("what a session holds is taken by hand", "ledger/balance.py",
           "moment.book.check_free(card, -amount, moment.now)", "pass", LOYALTY_EDGES),
    Mutant("pending points are settled after their day", "loyalty/card_pending.py",
           "if not rows or (at is not None and at <= place.now):", "if not rows:", LOYALTY_CARDS),
    # Gift cards: sold once, gone with their purchase, opened by their PIN.
    Mutant("a card is sold twice", "ledger/sales.py", "    return bool(made)", "    return True", CARDS_SOLD),
    Mutant("a card keeps its money when its purchase comes back", "ledger/sales.py",
           "left = 0 if lot is None else lot.remaining", "left = 0", CARDS_SOLD),
    Mutant("all cards of a line come back with one", "redemptions/voiding.py",
           "there[: max(0, len(there) - items[line].quantity)]", "there", CARDS_SOLD),
    Mutant("a deleted card stays in the books", "ledger/closing.py", "    if not left:", "    if True:", CARDS_SOLD),
    Mutant("wrong PINs are not counted", "ledger/pins.py",
           "tries.misses, tries.changed = tries.misses + 1, True", "tries.changed = True", PINS),
    Mutant("PINs are tried without a lock", "ledger/pins.py",
           "    order by t.name for update of t", "    order by t.name", PIN_RACES),
    Mutant("validations try PINs for nothing", "redemptions/api.py",
           "data.session is None and not pinned.brings_pin(data)", "data.session is None", PINS),
    Mutant("a repeat tells the PIN again", "kit/web.py",
           'content = content.replace(ENCODER.encode(secret), b"null")', "pass", PINS),
    Mutant("some combinations are not tried", "engine/best_deal.py",
           "rest = later[index:]", "rest = later[index + 1 :]", ("tests/laws/test_stacking.py",)),
    Mutant("cards are part of the best deal", "engine/paying.py",
           "return redeemable.card is not None and", "return False and", CARDS_STACKED),
    Mutant("what cards paid counts for the margin floor", "engine/attempt.py",
           "running.paid += given.total", "running.paid += 0", CARDS_STACKED),
    # Cards of which not all lots are read.
    Mutant("too few lots are read", "ledger/book.py",
           "if book.cards[name].available(now) < reach[name]", "if False", REACH),
    Mutant("other lots are read than are to be spent", "ledger/book.py",
           "'infinity'), o.created_at limit $4", "'infinity') desc, o.created_at limit $4", REACH),
    Mutant("a refused act keeps what it took", "ledger/desk.py",
           "lot.remaining, lot.expires_at = remaining, expires_at", "lot.expires_at = expires_at", REACH),
    # Referrals: nobody refers themselves, rewards are held, given once, within caps, and taken back.
    Mutant("a referrer has one reward more than the cap", "referrals/settle.py",
           "total >= caps.total", "total > caps.total", REFERRALS),
    Mutant("rewards of a referrer are counted without a lock", "referrals/store.py",
           "order by id for no key update", "order by id", REFERRAL_RACES),
    Mutant("rewards are given before the order is paid", "referrals/settle.py",
           "around.has_order and around.order_status not in PAID", "False", REFERRALS),
    Mutant("rewards are not held", "referrals/settle.py",
           "if row.due_at > self.now:", "if False:", REFERRALS),
    Mutant("own codes under another spelling", "referrals/screen.py",
           "if person.identities() & code.identities:", "if False:", REFERRALS),
    Mutant("rewards outlive the order", "referrals/settle.py",
           "await self._take_shares_back()", "pass", REFERRALS),
    Mutant("what was taken back counts for a tier", "referrals/settle.py",
           "one.minimum is not None and count < one.minimum", "False", REFERRALS),
    Mutant("one mailbox, many friends", "referrals/store.py",
           "return not await db.value(conn, CLAIMED_BY_OTHERS", "return True or await db.value(conn, CLAIMED_BY_OTHERS",
           REFERRALS),
)  # fmt: skip
