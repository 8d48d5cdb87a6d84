"""How members stand among the tiers of their programs, for those who ask."""

from collections.abc import Sequence
from datetime import datetime

from guerdon.engine.tier import TierStructure
from guerdon.engine.tier_progress import Progress, progress
from guerdon.kit import clock, db
from guerdon.ledger import book as books
from guerdon.loyalty import members_store
from guerdon.loyalty import shapes_members as shapes
from guerdon.loyalty.compiled import Program, structure_of
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place
from guerdon.loyalty.sheet import Sheet
from guerdon.loyalty.standing import Asked, points_of, standing_of

NOTHING = shapes.TierProgress(current=None, tier_structure=None, deferred=[], risks=[], opportunities=[])


async def progress_of(
    conn: db.Db, place: Place, member: MemberRow, program: Program
) -> tuple[shapes.TierProgress, str | None]:
    """How a member stands, and the id of the card that tiers go by."""
    structure = structure_of(program, place.week_start)
    if structure is None:
        return NOTHING, None
    cards = await members_store.cards_of(conn, place.project_id, [member.id])
    card = next((card for card in cards if card.definition_id == program.tier_card), None)
    if card is None:
        return NOTHING, None
    asked = Asked(member, program, structure, card)
    page = await unlocked_sheet(conn, place, member, cards)
    points = (await points_of(conn, page, [asked]))[member.id]
    standing = standing_of(member)
    found = progress(structure, standing, points, place.now, place.zone)
    deferred = standing.deferred
    return shapes.TierProgress(
        current=_held(structure, member, found),
        tier_structure=shapes.StructureNamed(id=structure.id),
        deferred=[]
        if deferred is None
        else [
            shapes.TierDeferred(
                tier=_named(structure, deferred.tier_id),
                start_at=clock.iso(deferred.starts_at),
                expires_at=_instant(deferred.ends_at),
            )
        ],
        risks=[
            shapes.TierRisk(type=risk.type, date=clock.iso(risk.at), tier=_named(structure, risk.tier_id))
            for risk in found.risks
        ],
        opportunities=[
            shapes.TierOpportunity(
                valid_until=_instant(each.valid_until),
                tier=_named(structure, each.tier_id),
                points=each.points,
            )
            for each in found.opportunities
        ],
    ), card.id


async def unlocked_sheet(conn: db.Db, place: Place, member: MemberRow, cards: Sequence[CardRow]) -> Sheet:
    """A sheet to read from, without locks."""
    page = Sheet(place)
    page.members[member.id] = member
    page.by_member[member.id] = {card.definition_id: card for card in cards}
    page.book = await books.load(conn, place.project_id, [card.id for card in cards], lock=False)
    return page


def _held(structure: TierStructure, member: MemberRow, found: Progress) -> shapes.TierHeld | None:
    standing = standing_of(member)
    if standing.tier_id is None:
        return None
    points = None
    if found.least is not None:
        most = {} if found.most is None else {"max": found.most}
        points = shapes.TierPoints(current=found.points, min=found.least, **most)
    return shapes.TierHeld(
        tier=_named(structure, standing.tier_id),
        start_at=_instant(standing.since),
        expires_at=_instant(standing.ends_at),
        points=points,
    )


def _named(structure: TierStructure, tier_id: str | None) -> shapes.TierNamed | None:
    if tier_id is None:
        return None
    tier = structure.tier(tier_id)
    return shapes.TierNamed(id=tier_id, name=None if tier is None else tier.name)


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else clock.iso(moment)
