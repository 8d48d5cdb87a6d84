"""The metadata that a redemption would write, against the project's schemas: its own, the customer's, the order's."""

from guerdon.customers.locked import CustomerIn
from guerdon.redemptions.asks import RedeemAsk
from guerdon.redemptions.gather import Seen
from guerdon.schemas.check import check, schemas_in
from guerdon.schemas.values import Schemas


def check_metadata(seen: Seen, ask: RedeemAsk) -> None:
    """Raise `ApiError` 400 ``metadata_validation_failed`` with the paths of what does not fit.

    A validation writes nothing: only what it says of the redemption is looked at, and what is required may still
    come. An order that is stored already keeps the metadata it has.
    """
    if not seen.snapshot.schemas:
        return
    schemas = schemas_in(seen.project_id, seen.snapshot.version, seen.snapshot.schemas.values())
    data = ask.data
    if not ask.dry or data.metadata:
        check(schemas, "redemption", data.metadata, whole=not ask.dry)
    if ask.dry:
        return
    whose = "customer" if data.customer is not None else "order.customer"
    _check_customer(seen, schemas, ask.customer, f"{whose}.metadata")
    _check_customer(seen, schemas, ask.referrer, "order.referrer.metadata")
    order = data.order
    if order is None or ask.order is None or seen.order_named(ask.order.id, ask.order.source_id) is not None:
        return
    check(schemas, "order", order.metadata, "order.metadata")
    for index, item in enumerate(order.items or ()):
        check(schemas, "order_item", item.metadata, f"order.items[{index}].metadata")


def _check_customer(seen: Seen, schemas: Schemas, said: CustomerIn | None, path: str) -> None:
    known = seen.customers.find(said)
    if said is None or known is None:
        return
    if known.id in seen.customers.new:
        check(schemas, "customer", said.metadata, path)
    elif said.metadata:
        check(schemas, "customer", known.metadata | said.metadata, path, said=said.metadata)
