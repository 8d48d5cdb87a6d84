"""Cards that were made beforehand, as codes of a campaign: given to a customer, they make that customer a member."""

from collections.abc import Sequence

from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import enqueue
from guerdon.kit.outbox import Event, emit
from guerdon.loyalty import members_store as store
from guerdon.loyalty.enrol import told_member
from guerdon.loyalty.place import shown_card
from guerdon.loyalty.v1_names import stored

# A member may come back, and a customer may hold a card that no member has.
MEMBER = """
    select m.id from loyalty_members m
    where m.project_id = $1 and m.program_id = $2 and m.customer_id = $3 and m.status <> 'DELETED'
"""
TAKEN = """
    select id from loyalty_cards where project_id = $1 and (id = $2 or (member_id = $3 and definition_id = $4))
"""


async def adopt(
    conn: db.Conn,
    project_id: str,
    campaign_id: str,
    customer_id: str,
    card_ids: Sequence[str],
    request_id: str | None,
) -> None:
    """Make the customer a member of the campaign's program, with the card; who is one already keeps theirs."""
    program_id, definition_id = stored("program", campaign_id), stored("card_definition", campaign_id)
    for card_id in card_ids:
        made = await store.insert(
            conn, project_id, program_id, [(new_id("member"), customer_id, "ACTIVE", {})]
        )
        member_id = made[0].id if made else await db.value(conn, MEMBER, project_id, program_id, customer_id)
        if await db.value(conn, TAKEN, project_id, card_id, member_id, definition_id) is not None:
            continue
        row = (project_id, card_id, member_id, program_id, definition_id)
        await db.insert(conn, "loyalty_cards", store.INSERT_COLUMNS, [row])
        about = {"card": {"id": shown_card(card_id), "card_definition_id": definition_id}}
        told = about | {"member": {"id": member_id}}
        events = [
            Event("vl.card.assigned", shown_card(card_id), None, told),
            Event("vl.member.card.assigned", member_id, None, told),
        ]
        if made:
            member = {"member": told_member(made[0]), "program": {"id": program_id}}
            events.insert(0, Event("vl.member.created", member_id, customer_id, member))
        await emit(conn, project_id, events, request_id)
        await enqueue(conn, project_id, "loyalty.follow", {"cards": [card_id], "spent": []})
