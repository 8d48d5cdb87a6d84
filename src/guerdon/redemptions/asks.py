"""Requests made ready for a batch: everything that can be checked or reckoned without the database's locks."""

from datetime import date
from typing import Any

from msgspec import Struct

from guerdon.customers.locked import CustomerIn
from guerdon.engine import EngineError, Order, order_from, price_order
from guerdon.kit.auth import Caller
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.redemptions.holds import key_of
from guerdon.redemptions.shapes import RollbackIn, ValidationIn
from guerdon.vouchers.store import code_key

VOUCHER_ID_LENGTH = 24


class Ask(Struct, gc=False, kw_only=True):
    """What every request of a batch brings: who asks, and how to answer a repeat."""

    caller: Caller
    request_id: str
    path: str
    key: str | None = None
    mark: bytes = b""


class RedeemAsk(Ask, gc=False, kw_only=True):
    """Codes to redeem, or only to validate. `priced` says that the order needed nothing from the catalog."""

    data: ValidationIn
    dry: bool
    code_keys: list[str]
    voucher_ids: list[str]
    session_key: str | None
    order: Order | None
    priced: bool
    products: list[str]
    customer: CustomerIn | None
    referrer: CustomerIn | None
    explain: bool
    ruled: bool = False
    """Whether rules or formulas want to know more than the order's amounts and the time; known after gathering."""
    open: bool = False
    """Whether everything there is may be asked for (qualifications): then rules may want to know anything."""
    found: list[Any] | None = None
    """What the redeemables turned out to be, in the batch at hand."""
    known: Order | None = None
    """The order as sent with what is stored about its products, in the batch at hand."""
    validated: tuple[date, list[tuple[str, bool]]] | None = None
    """What came of a validation, in the batch at hand: the day, and each campaign asked for with whether it holds."""

    @property
    def hypothetical(self) -> bool:
        """Whether it asks about another instant or things that are not saved, so that it is decided by itself."""
        return self.data.at is not None or self.data.drafts is not None

    def named(self) -> list[CustomerIn]:
        """The customers to look up."""
        return [person for person in (self.customer, self.referrer) if person is not None]


class RollbackAsk(Ask, gc=False, kw_only=True):
    """Redemptions to take back: one, or all the children of a stack, with what they touched.

    `redemption_ids` is the one, or the whole stack that it belongs to; `parent_id` is that stack's.
    """

    data: RollbackIn
    asked_id: str
    parent_id: str | None
    customer_id: str | None
    redemption_ids: list[str]
    voucher_ids: list[str]
    order_ids: list[str]
    stack: bool

    def named(self) -> list[CustomerIn]:
        """The redemption's customer, and the one to compare with it."""
        named = [] if self.customer_id is None else [CustomerIn(id=self.customer_id)]
        return [*named, self.data.customer] if self.data.customer is not None else named


def redeem_ask(
    caller: Caller, request_id: str, path: str, data: ValidationIn, *, dry: bool, key: str | None, mark: bytes
) -> RedeemAsk:
    """Check and prepare a validation or redemption. Raises `ApiError` 400 with the path of what does not fit."""
    if len(data.redeemables) > 1 and any(one.object == "promotion_stack" for one in data.redeemables):
        raise _stack_is_not_alone()
    ids = [redeemable.id for redeemable in data.redeemables]
    keys = [code_key(code, caller.case_sensitive_codes) for code in ids]
    if len(set(keys)) != len(keys):
        twice = next(index for index, k in enumerate(keys) if k in keys[:index])
        raise named_twice(ids[twice], twice)
    order = data.order
    priced, products, prepared = True, [], None
    if order is not None:
        products = _unpriced(order)
        priced = not products
        try:
            prepared = price_order(order) if priced else order_from(order)
        except EngineError as error:
            raise engine_fault(error) from None
    options = data.options
    return RedeemAsk(
        caller=caller,
        request_id=request_id,
        path=path,
        key=key,
        mark=mark,
        data=data,
        dry=dry,
        code_keys=keys,
        session_key=None if data.session is None else key_of(data.session),
        voucher_ids=[i for i in ids if i.startswith("v_") and len(i) == VOUCHER_ID_LENGTH],
        order=prepared,
        priced=priced,
        products=products,
        customer=data.customer
        or (order.customer if order else None)
        or _by_id(order.customer_id if order else None),
        referrer=order and (order.referrer or _by_id(order.referrer_id)),
        explain=bool(options and options.explain),
    )


def _stack_is_not_alone() -> ApiError:
    return ApiError(
        400, "invalid_redeemables", "Invalid redeemables",
        "A promotion stack is a request of its own; leave the others out.",
        faults=[Fault("redeemables", "a promotion_stack may not stand beside others")],
    )  # fmt: skip


def named_twice(code: str, index: int) -> ApiError:
    """400: a redeemable may be asked for once in a request, whichever of its names is used."""
    return ApiError(
        400, "duplicated_redeemables", "A redeemable is named twice",
        f"{code!r} stands twice among the redeemables; name each once.",
        faults=[Fault(f"redeemables[{index}].id", "stands before already")],
    )  # fmt: skip


def _by_id(customer_id: str | None) -> CustomerIn | None:
    return None if customer_id is None else CustomerIn(id=customer_id)


def products_of(order: Any) -> set[str]:
    """All products and SKUs that the lines of an order name."""
    names: set[str | None] = set()
    for item in order.items or ():
        names.add(item.product_id)
        names.add(item.sku_id)
        names.add(item.source_id)
        for ref in (item.product, item.sku):
            if ref is not None:
                names.add(ref.id)
                names.add(ref.source_id)
    return {name for name in names if name}


def _unpriced(order: Any) -> list[str]:
    """The products to look up: those of lines that came without a price or an amount."""
    names: list[str] = []
    for item in order.items or ():
        if item.price is not None or item.amount is not None:
            continue
        product, sku = item.product, item.sku
        if (product is not None and product.price is not None) or (sku is not None and sku.price is not None):
            continue
        names.extend(n for n in (item.product_id, item.sku_id, item.source_id) if n)
        names.extend(n for ref in (product, sku) if ref is not None for n in (ref.id, ref.source_id) if n)
    return names


def engine_fault(error: EngineError, prefix: str = "") -> ApiError:
    """What the engine could not take, as a 400 with the field's path."""
    path = f"{prefix}{error.path}"
    return invalid_payload(Fault(path, error.message), key=error.key or "invalid_payload")
