"""Laws of earning, expiry and tiers over drawn programs: limits hold, order does not matter, nights miss nothing."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine import Order
from guerdon.engine.durations import Span
from guerdon.engine.earning import compile_program, earn, earning_tallies
from guerdon.engine.earning_rule import (
    CardRules,
    Custom,
    Earning,
    EarningRule,
    Effect,
    Fixed,
    Frequency,
    Member,
    Multiply,
    OrderPaid,
    PointsCap,
    Proportional,
)
from guerdon.engine.expiry import (
    EARNING,
    ROUNDINGS,
    Calendar,
    NoExpiration,
    Rolling,
    Rounding,
    Sliding,
    ends,
    renewed,
)
from guerdon.engine.periods import Period, YearDay, following, previous, tracked
from guerdon.engine.situation import Situation
from guerdon.engine.tier import (
    FixedDuration,
    Grace,
    MemberPoints,
    NoRetention,
    OnDates,
    Standing,
    Tier,
    TierRounding,
    TierStructure,
    UntilPeriodEnds,
)
from guerdon.engine.tier_progress import later, progress
from guerdon.engine.tiering import tier_at

from .draw import amounts, law

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CARD = "card"
UNITS = st.sampled_from(["DAY", "WEEK", "MONTH", "QUARTER", "HALF_YEAR", "YEAR"])
ZONES = st.sampled_from(
    ["UTC", "Europe/Warsaw", "America/St_Johns", "Pacific/Apia", "Pacific/Kiritimati"]
).map(ZoneInfo)
points_each = st.decimals(0, 50, places=2)
multipliers = st.decimals(0, 5, places=2)


@st.composite
def gives(draw):
    """Fixed points, or points for an order's worth."""
    if draw(st.booleans()):
        return Fixed(draw(st.integers(0, 500)))
    of = draw(st.sampled_from(["order.amount", "order.total_amount"]))
    return Proportional(of=of, every=draw(st.integers(1, 5000)), points=draw(points_each))


@st.composite
def rules(draw, most=6):
    """Earning rules with caps and frequencies, of different ids."""
    found = []
    for index in range(draw(st.integers(1, most))):
        caps = draw(
            st.lists(st.builds(PointsCap, st.integers(1, 900), st.none() | UNITS, st.booleans()), max_size=2)
        )
        frequency = draw(st.none() | st.builds(Frequency, UNITS, st.integers(1, 3)))
        found.append(
            EarningRule(
                id=f"ern_{index}",
                trigger=OrderPaid(),
                earnings=(Earning(effects=(Effect(card=CARD, gives=draw(gives())),)),),
                caps=tuple(caps),
                frequency=frequency,
            )
        )
    return found


@st.composite
def cards(draw, rejecting=True):
    """A card's limits."""
    return CardRules(
        id=CARD,
        most_balance=draw(st.none() | st.integers(1, 3000)),
        most_in_period=draw(st.none() | st.integers(1, 1500)),
        period=draw(UNITS),
        most_at_once=draw(st.none() | st.integers(1, 800)) if rejecting else None,
        least_amount=draw(st.none() | st.integers(1, 20_000)) if rejecting else None,
    )


mapped = st.dictionaries(
    st.sampled_from(["ern_0", "ern_1", "ern_2"]),
    st.builds(Multiply, multipliers) | st.builds(Custom, st.integers(0, 100)),
)


def situation(amount, off=0, now=NOW, used=None):
    order = Order(amount=amount, total_amount=max(0, amount - off), total_discount_amount=min(off, amount))
    return Situation(now=now, zone=ZoneInfo("Europe/Warsaw"), order=order, used=used or {})


@law
@given(rules(), cards(), mapped, amounts(), amounts(), st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(asked, card, maps, amount, off, random):
    shuffled = list(asked)
    random.shuffle(shuffled)
    who, at = Member(id="m", balances={CARD: 0}, mapped=maps), situation(amount, off)
    assert earn(compile_program(asked, [card]), OrderPaid(), who, at) == earn(
        compile_program(shuffled, [card]), OrderPaid(), who, at
    )


@law
@given(
    rules(),
    cards(),
    mapped,
    st.lists(st.tuples(amounts(), st.integers(0, 100), st.sampled_from("ab")), min_size=1, max_size=12),
)
def test_no_limit_is_ever_exceeded_in_a_history(asked, card, maps, history):
    """Tallies as the engine says them are enough: whatever is read back holds every limit."""
    program, used, now = compile_program(asked, [card]), {}, NOW
    balances = {"a": 0, "b": 0}
    for amount, days, who in history:
        now += timedelta(days=days)
        keys = earning_tallies(program, OrderPaid(), who, situation(amount, now=now))
        read = {key: used[key] for key in keys if key in used}
        member = Member(id=who, balances={CARD: balances[who]}, mapped=maps)
        got = earn(program, OrderPaid(), member, situation(amount, now=now, used=read))
        assert set(got.takes) <= set(keys)
        for key, taken in got.takes.items():
            assert taken > 0
            used[key] = used.get(key, 0) + taken
        for each in got.earned:
            assert 0 < each.points <= each.reckoned
            assert card.most_at_once is None or each.reckoned <= card.most_at_once
        balances[who] += got.points()
    assert card.most_balance is None or max(balances.values()) <= card.most_balance
    for key, taken in used.items():
        owner, measure = key.split("|")[:2]
        if measure == "earned":
            assert taken <= card.most_in_period
            continue
        rule = next(rule for rule in asked if rule.id == owner)
        if measure == "triggers":
            assert taken <= rule.frequency.most
        else:
            assert taken <= max(cap.most for cap in rule.caps)


@law
@given(rules(), cards(rejecting=False), mapped, amounts(), amounts())
def test_more_spent_is_never_fewer_points(asked, card, maps, amount, more):
    program, who = compile_program(asked, [card]), Member(id="m", balances={CARD: 0}, mapped=maps)
    less = earn(program, OrderPaid(), who, situation(amount)).points()
    assert earn(program, OrderPaid(), who, situation(amount + more)).points() >= less


@law
@given(amounts(), st.integers(1, 5000), points_each, multipliers)
def test_points_are_those_of_an_oracle_of_fractions(amount, every, each, multiplier):
    rule = EarningRule(
        id="ern_0",
        trigger=OrderPaid(),
        earnings=(
            Earning(
                effects=(Effect(card=CARD, gives=Proportional(of="order.amount", every=every, points=each)),)
            ),
        ),
    )
    program = compile_program([rule], [CardRules(id=CARD)])
    who = Member(id="m", balances={CARD: 0}, mapped={"ern_0": Multiply(multiplier)})
    exact = amount // every * Fraction(each) * Fraction(multiplier)
    expected = int(exact + Fraction(1, 2))
    assert earn(program, OrderPaid(), who, situation(amount)).points() == min(expected, 2**53 - 1)


@law
@given(rules(), cards(), mapped, amounts())
def test_explaining_changes_nothing_and_says_why(asked, card, maps, amount):
    program, who = compile_program(asked, [card]), Member(id="m", balances={CARD: 0}, mapped=maps)
    plain = earn(program, OrderPaid(), who, situation(amount))
    told = earn(program, OrderPaid(), who, situation(amount), explain=True)
    assert (plain.earned, plain.takes, plain.triggered) == (told.earned, told.takes, told.triggered)
    assert {outcome.rule_id for outcome in told.outcomes} == {rule.id for rule in asked}
    for outcome in told.outcomes:
        assert (outcome.reason is None) == (outcome.points > 0)
        assert outcome.checks


year_days = st.builds(YearDay, st.integers(1, 12), st.integers(1, 31))
periods = st.builds(Period, st.sampled_from(["DAY", "MONTH", "YEAR"]), st.integers(1, 24))
roundings = st.builds(Rounding, st.sampled_from(ROUNDINGS), st.integers(1, 12))
expiries = st.one_of(
    st.just(NoExpiration()),
    st.builds(Rolling, periods, st.none() | roundings),
    st.builds(Calendar, st.lists(year_days, min_size=1, max_size=4).map(tuple)),
    st.builds(Sliding, periods, st.just(True)),
)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda each: each.replace(tzinfo=UTC))  # noqa: DTZ001


@law
@given(expiries, instants, instants, ZONES)
def test_what_is_earned_later_ends_no_earlier(rule, one, other, zone):
    first, second = sorted([one, other])
    early, late = ends(rule, first, zone), ends(rule, second, zone)
    assert (early is None) == (late is None)
    if early is not None and late is not None:
        assert first < early <= late
        local = early.astimezone(zone)
        assert (local - timedelta(seconds=1)).date() < local.date()


@law
@given(expiries, st.dictionaries(st.text("ab", min_size=1), st.none() | instants), instants, ZONES)
def test_activity_brings_no_end_nearer(rule, lots, at, zone):
    for name, end in renewed(rule, lots, EARNING, at, zone).items():
        assert isinstance(rule, Sliding) and lots[name] is not None and at < lots[name] < end


@law
@given(
    st.builds(Period, UNITS, st.integers(1, 40)),
    st.dates(date(1990, 1, 1), date(2050, 1, 1)),
    st.none() | st.dates(date(1990, 1, 1), date(2050, 1, 1)),
    st.integers(0, 6),
)
def test_periods_follow_each_other_without_a_gap(period, day, anchor, week_start):
    found = tracked(period, day, week_start, anchor)
    assert found.first <= day < found.after
    assert following(found, period, week_start, anchor).first == found.after
    assert previous(found, period, week_start, anchor).after == found.first
    if anchor is not None:
        assert tracked(period, anchor, week_start, anchor).first == anchor


spans = st.builds(Span, st.integers(0, 14), st.integers(1, 40), st.just(0))
retentions = st.one_of(
    st.just(NoRetention()),
    st.builds(UntilPeriodEnds, st.booleans(), st.none() | spans),
    st.builds(FixedDuration, spans, st.none() | st.builds(TierRounding, st.sampled_from(["MONTH", "QUARTER", "YEAR", "CUSTOM"]), st.sampled_from(["START", "END"]), st.integers(1, 12))),
    st.builds(OnDates, st.lists(year_days, min_size=1, max_size=3).map(tuple)),
    st.builds(Sliding, periods, st.just(True)),
)  # fmt: skip


@st.composite
def structures(draw):
    """Tier structures of every kind."""
    bounds = sorted(draw(st.sets(st.integers(0, 1000), min_size=1, max_size=4)))
    tiers = tuple(
        Tier(id=f"t{index}", least=least, keeps=draw(st.integers(0, 9)) == 0)
        for index, least in enumerate(bounds)
    )
    return TierStructure(
        tiers=tiers,
        basis=draw(st.sampled_from(["BALANCE", "POINTS_IN_PERIOD"])),
        starts=draw(st.sampled_from(["IMMEDIATE", "NEXT_PERIOD"])),
        retention=draw(retentions),
        downgrade=draw(st.sampled_from(["MULTI_LEVEL", "SINGLE_LEVEL", "NO_DOWNGRADE"])),
        grace=draw(st.none() | st.builds(Grace, st.sampled_from(["DAY", "MONTH"]), st.integers(1, 20), st.booleans())),
        period=Period(draw(UNITS), draw(st.integers(1, 3))),
        anchor=draw(st.none() | st.dates(date(2020, 1, 1), date(2026, 1, 1))),
    )  # fmt: skip


some_points = st.integers(0, 1200)
seen_points = st.builds(
    MemberPoints,
    balance=some_points,
    earned=st.lists(some_points, min_size=4, max_size=4).map(tuple),
    active_at=st.just(NOW),
)


@law
@given(structures(), seen_points, st.lists(st.tuples(st.integers(0, 90), seen_points), max_size=8), ZONES)
def test_tiers_in_a_history(structure, first, steps, zone):
    """Each decision is final for its moment, ends lie ahead, no tier is less than what is earned, none is skipped."""
    now, standing = NOW, Standing()
    for days, points in [(0, first), *steps]:
        now += timedelta(days=days)
        rank = structure.rank(standing.tier_id)
        ruling = tier_at(structure, standing, points, now, zone)
        standing = ruling.standing
        new = structure.rank(standing.tier_id)
        event = None if ruling.change is None else ruling.change.event
        assert event in {None, "joined" if rank < 0 else "upgraded"} or new <= rank
        assert (new > rank) == (event in ("joined", "upgraded"))
        assert (new < rank) == (event in ("downgraded", "left"))
        if structure.downgrade == "SINGLE_LEVEL":
            assert new >= rank - 1
        if structure.downgrade == "NO_DOWNGRADE":
            assert new >= rank
        for instant in (standing.ends_at, standing.grace_ends_at, ruling.recheck_at):
            assert instant is None or instant > now or standing.grace_ends_at is not None
        if structure.starts == "IMMEDIATE":
            counted = points.balance if structure.basis == "BALANCE" else points.earned[0]
            enough = structure.tier_for(counted)
            assert enough is None or new >= structure.rank(enough.id)
        if structure.downgrade != "SINGLE_LEVEL":
            again = tier_at(structure, standing, points, now, zone)
            assert again.change is None and again.standing == standing
        assert progress(structure, standing, points, now, zone).points >= 0


@law
@given(structures(), seen_points, seen_points, st.integers(0, 200), ZONES)
def test_the_nights_that_are_not_named_change_nothing(structure, first, second, days, zone):
    """Who is looked at only when a decision says so is in the same tier every night as who is looked at every night."""
    standing = tier_at(structure, Standing(), first, NOW, zone).standing
    start = NOW + timedelta(days=days)
    ruling = tier_at(structure, standing, second, start, zone)
    every_night, seldom, due = ruling.standing, ruling.standing, ruling.recheck_at
    for night in range(1, 120):
        now = (
            (start + timedelta(days=night))
            .astimezone(zone)
            .replace(hour=0, minute=0, second=0, microsecond=0)
        )
        now = now.astimezone(UTC)
        if now <= start:
            continue
        points = later(structure, second, start, now, zone)
        every_night = tier_at(structure, every_night, points, now, zone).standing
        if due is not None and due <= now:
            ruling = tier_at(structure, seldom, points, now, zone)
            seldom, due = ruling.standing, ruling.recheck_at
        assert every_night.tier_id == seldom.tier_id, now
