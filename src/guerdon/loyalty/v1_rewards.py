"""``/v1/rewards``: rewards as the older API has them, over the rows of the newer one.

What this face makes is kept in both forms: in the newer one's, which everybody works with, and under ``v1`` as it was
sent. Payment with points, which the newer API says of cards, is a part of its own (``coin``).
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.definitions.changes import changed
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.paging import Field, Listing, page
from guerdon.loyalty import programs_store, store
from guerdon.loyalty.define import completed, in_use, tell
from guerdon.loyalty.parts import REWARD
from guerdon.loyalty.shapes import MAX_NUMBER
from guerdon.loyalty.v1_names import by_stored_id, older, stored

Type = Literal["CAMPAIGN", "COIN", "MATERIAL"]
OF_CAMPAIGNS = {
    "DISCOUNT_COUPONS": "DISCOUNT_COUPONS",
    "GIFT_VOUCHERS": "GIFT_VOUCHERS",
    "LOYALTY_PROGRAM": "LOYALTY_CARD_POINTS",
}
"""Types of campaigns whose codes can be a reward, by what the newer API calls them."""

COLUMNS = """
    p.id, p.kind, p.name, p.type, p.status, p.body, p.metadata, p.taken, p.created_at, p.updated_at, (
        select case when count(*) = count(a.stock) then sum(a.stock)::bigint end from loyalty_assignments a
        where a.project_id = $1 and a.part_id = p.id) as stock, (
        select coalesce(sum(a.redeemed), 0)::bigint from loyalty_assignments a
        where a.project_id = $1 and a.part_id = p.id) as redeemed
"""
FIND = f"""
    select {COLUMNS} from loyalty_parts p
    where p.project_id = $1 and p.id = $2 and p.kind in ('reward', 'coin') and p.status = 'ACTIVE'
"""
FIND_ALL = f"""
    select {COLUMNS} from loyalty_parts p
    where p.project_id = $1 and p.id = any($2) and p.kind in ('reward', 'coin') and p.status = 'ACTIVE'
"""
LOCK = FIND + " for update of p"
LISTING = Listing(
    name="data",
    columns=COLUMNS,
    source="loyalty_parts p",
    where="""p.project_id = $1 and p.kind in ('reward', 'coin') and p.status = 'ACTIVE' and ($2::text is null or exists (
        select from loyalty_assignments w where w.project_id = $1 and w.part_id = p.id and w.id = $2))""",
    id="p.id",
    fields={"id": Field("p.id"), "name": Field("p.name")},
    sorts={"created_at": "p.created_at", "updated_at": "p.updated_at", "name": "p.name"},
)
UPDATE = """
    update loyalty_parts set name = $3, body = $4, metadata = $5, updated_at = now() where project_id = $1 and id = $2
"""
DELETE = """
    update loyalty_parts set status = 'DELETED', updated_at = now() where project_id = $1 and id = $2
"""
CAMPAIGN = """
    select id, name, campaign_type from campaigns where project_id = $1 and (id = $2 or name = $2) and deleted_at is null
    order by id = $2 desc limit 1 for share
"""
PRODUCT = "select id from products where project_id = $1 and id = $2 and deleted_at is null"
SKU = "select id, product_id from skus where project_id = $1 and id = $2 and deleted_at is null"

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=2000)]
Count = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Number = str | int | float


class CampaignIn(Struct, kw_only=True):
    """Whose codes it gives. `balance`: with so much on them (minor units of a gift card, or points)."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    balance: int | None = None
    type: str | None = None


class ProductIn(Struct, kw_only=True):
    """Goods."""

    id: str
    sku_id: str | None = None


class CoinIn(Struct, kw_only=True):
    """`points_ratio` points (1 unless said otherwise) are worth `exchange_ratio` of the currency's major unit."""

    exchange_ratio: Number
    points_ratio: Number | None = None


class ParametersIn(Struct, kw_only=True):
    """What the reward is: one of these."""

    campaign: CampaignIn | None = None
    product: ProductIn | None = None
    coin: CoinIn | None = None


class Attributes(Struct, kw_only=True, omit_defaults=True):
    """How goods are shown."""

    image_url: Text | None = None
    description: Text | None = None


class OlderRewardIn(Struct, kw_only=True):
    """A reward to be. `type` need not be said: `parameters` tell it. `stock` is of goods alone."""

    name: Name | None = None
    type: Type | None = None
    parameters: ParametersIn
    stock: Count | None = None
    attributes: Attributes | None = None
    metadata: dict[str, Any] | None = None


class OlderRewardChange(Struct, kw_only=True):
    """What is to change of a reward; absent stays. Its type stays as it is. `stock` null: as many as you like."""

    name: Name | None = None
    type: Type | None = None
    parameters: ParametersIn | None = None
    stock: Count | UnsetType | None = UNSET
    attributes: Attributes | UnsetType | None = UNSET
    metadata: dict[str, Any] | None = None


class OlderReward(Struct, kw_only=True):
    """A reward."""

    id: str
    name: str
    stock: int | None
    redeemed: int | None
    attributes: Attributes | UnsetType = UNSET
    metadata: dict[str, Any]
    type: Type
    parameters: dict[str, Any]
    created_at: str
    updated_at: str | None
    object: Literal["reward"] = "reward"


class OlderRewards(Struct, kw_only=True):
    """A page of rewards."""

    object: str = "list"
    data_ref: str = "data"
    data: list[OlderReward]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class RewardRow(Struct, kw_only=True):
    """A row of `loyalty_parts` that is a reward; `stock` is what its programs have, if all of them say so, `redeemed`
    what of it is gone.
    """

    id: str
    kind: str
    name: str
    type: str
    status: str
    body: dict[str, Any]
    metadata: dict[str, Any]
    taken: int
    created_at: datetime
    updated_at: datetime | None
    stock: int | None
    redeemed: int

    @property
    def own(self) -> bool:
        """Whether the older API made it."""
        return "v1" in self.body


def shown(row: RewardRow) -> OlderReward:
    """The row as the older API has it."""
    said = row.body.get("v1") or from_newer(row.type, row.body)
    attributes = said.get("attributes")
    return OlderReward(
        id=older("reward", row.id),
        name=row.name,
        stock=said.get("stock") if row.own else row.stock,
        redeemed=None if said["type"] == "COIN" else row.taken if row.own else row.redeemed,
        attributes=msgspec.convert(attributes, Attributes) if attributes else UNSET,
        metadata=row.metadata,
        type=said["type"],
        parameters=shown_parameters(said["parameters"]),
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
    )


def shown_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as answers have them: rates as numbers."""
    if "coin" not in parameters:
        return dict(parameters)
    rate = Decimal(parameters["coin"]["exchange_ratio"])
    number = int(rate) if rate == rate.to_integral_value() else float(rate)
    return {"coin": parameters["coin"] | {"exchange_ratio": number}}


def from_newer(type: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the newer API made, in the words of the older one: type and parameters."""
    goods: dict[str, Any] = body.get("material") or body.get("digital") or {}
    match goods.get("type"):
        case "PRODUCT":
            parameters = {"product": {"id": goods["product"]["id"], "sku_id": None}}
        case "SKU":
            parameters = {"product": {"id": goods["sku"]["product_id"], "sku_id": goods["sku"]["id"]}}
        case "DISCOUNT_COUPONS":
            parameters = {
                "campaign": {"id": goods["discount_coupons"]["campaign_id"], "type": "DISCOUNT_COUPONS"}
            }
        case "GIFT_VOUCHERS":
            gift = goods["gift_vouchers"]
            parameters = {
                "campaign": {"id": gift["campaign_id"], "balance": gift["balance"], "type": "GIFT_VOUCHERS"}
            }
        case _:
            points = goods["loyalty_card_points"]
            name = older("campaign", points["card_definition_id"])
            parameters = {"campaign": {"id": name, "balance": points["points"], "type": "LOYALTY_PROGRAM"}}
    return {"type": "MATERIAL" if type == "MATERIAL" else "CAMPAIGN", "parameters": parameters}


async def create(call: Call, data: OlderRewardIn) -> OlderReward:
    """The new reward. Raises `ApiError` 400 with the path of the fault, 404 for what is not there."""
    said = await _settled(call, data.parameters, data.type)
    if data.stock is not None and said["type"] != "MATERIAL":
        raise invalid_payload(Fault("stock", "belongs to goods"))
    said |= {"stock": data.stock}
    if data.attributes is not None:
        said["attributes"] = msgspec.to_builtins(data.attributes)
    coin = said["type"] == "COIN"
    row = await store.insert(
        call.conn, call.project_id, new_id("loyalty_reward"), "coin" if coin else "reward",
        data.name or f"New {said['type'].lower()} reward", _type(said), "ACTIVE", _body(said, {}), data.metadata or {},
    )  # fmt: skip
    await _tell(call, row.id, "created")
    return await read(call, row.id)


def _type(said: Mapping[str, Any]) -> str:
    kind: str = said["type"]
    return "DIGITAL" if kind == "CAMPAIGN" else kind


def _body(said: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Both forms of a reward; what programs ask for it stays."""
    if said["type"] == "COIN":
        return {"v1": said}
    goods = _newer(said["parameters"])
    kept = {"costs": before.get("costs") or [], "refunds": {"type": "REFUNDABLE"}}
    return completed(REWARD, {}, goods | kept) | {"v1": said}


def _newer(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The goods of a reward in the newer API's words."""
    if "product" in parameters:
        product, sku = parameters["product"]["id"], parameters["product"]["sku_id"]
        if sku is None:
            return {"material": {"type": "PRODUCT", "product": {"id": product}}}
        return {"material": {"type": "SKU", "sku": {"product_id": product, "id": sku}}}
    of = parameters["campaign"]
    match of["type"]:
        case "DISCOUNT_COUPONS":
            goods = {"discount_coupons": {"campaign_id": of["id"]}}
        case "GIFT_VOUCHERS":
            goods = {"gift_vouchers": {"campaign_id": of["id"], "balance": of["balance"]}}
        case _:
            card = stored("card_definition", of["id"])
            goods = {"loyalty_card_points": {"points": of["balance"], "card_definition_id": card}}
    return {"digital": {"type": OF_CAMPAIGNS[of["type"]]} | goods}


async def _settled(call: Call, data: ParametersIn, type: str | None) -> dict[str, Any]:
    """Type and parameters as they are kept. Raises `ApiError` 400, 404."""
    given = {"CAMPAIGN": data.campaign, "MATERIAL": data.product, "COIN": data.coin}
    said = [name for name, value in given.items() if value is not None]
    if len(said) != 1:
        raise invalid_payload(Fault("parameters", "must be one of campaign, product and coin"))
    if type not in (None, said[0]):
        raise invalid_payload(Fault("type", f"is not what parameters say: {said[0]}"))
    if data.campaign is not None:
        return {"type": said[0], "parameters": {"campaign": await _campaign(call, data.campaign)}}
    if data.product is not None:
        return {"type": said[0], "parameters": {"product": await _product(call, data.product)}}
    assert data.coin is not None
    return {"type": said[0], "parameters": {"coin": _coin(data.coin)}}


async def _campaign(call: Call, data: CampaignIn) -> dict[str, Any]:
    found = await db.records(call.conn, CAMPAIGN, call.project_id, data.id)
    if not found:
        raise not_found("campaign", data.id)
    type = found[0]["campaign_type"]
    if type not in OF_CAMPAIGNS:
        raise invalid_payload(
            Fault("parameters.campaign.id", f"is a campaign of {type}, whose codes are no reward")
        )
    if data.type not in (None, type):
        raise invalid_payload(Fault("parameters.campaign.type", f"is {type}"))
    told: dict[str, Any] = {"id": found[0]["id"], "type": type}
    if type == "DISCOUNT_COUPONS":
        return told
    if data.balance is None or not 1 <= data.balance <= MAX_NUMBER:
        raise invalid_payload(
            Fault("parameters.campaign.balance", "must be how much is given, from 1 on"),
            key="invalid_balance",
            message="Invalid balance",
        )
    return told | {"balance": data.balance}


async def _product(call: Call, data: ProductIn) -> dict[str, Any]:
    if await db.value(call.conn, PRODUCT, call.project_id, data.id) is None:
        raise not_found("product", data.id)
    if data.sku_id is not None:
        sku = await db.records(call.conn, SKU, call.project_id, data.sku_id)
        if not sku or sku[0]["product_id"] != data.id:
            raise not_found("sku", data.sku_id)
    return {"id": data.id, "sku_id": data.sku_id}


def _coin(data: CoinIn) -> dict[str, Any]:
    rate = _rate(data.exchange_ratio, "parameters.coin.exchange_ratio")
    points = _rate(1 if data.points_ratio is None else data.points_ratio, "parameters.coin.points_ratio")
    if points != points.to_integral_value():
        raise invalid_payload(Fault("parameters.coin.points_ratio", "must be a whole number"))
    return {"exchange_ratio": f"{rate.normalize():f}", "points_ratio": int(points)}


def _rate(value: Number, path: str) -> Decimal:
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        raise invalid_payload(Fault(path, "must be a number")) from None
    exponent = rate.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 < rate <= 1_000_000_000 or exponent < -6:
        raise invalid_payload(
            Fault(path, "must be above 0, 1,000,000,000 at most, with six decimals at most")
        )
    return rate


async def change(call: Call, reward_id: str, data: OlderRewardChange) -> OlderReward:
    """The reward with what was sent. Raises `ApiError` 400, 404."""
    row = await locked(call, reward_id)
    said = dict(row.body["v1"])
    if data.parameters is not None:
        wanted = await _settled(call, data.parameters, data.type)
        if wanted["type"] != said["type"]:
            raise invalid_payload(Fault("parameters", f"are those of another type than {said['type']}"))
        said |= wanted
    elif data.type not in (None, said["type"]):
        raise invalid_payload(Fault("type", f"is {said['type']} and stays so"))
    if data.stock is not UNSET:
        if data.stock is not None and said["type"] != "MATERIAL":
            raise invalid_payload(Fault("stock", "belongs to goods"))
        said["stock"] = data.stock
    if data.attributes is not UNSET:
        said["attributes"] = None if data.attributes is None else msgspec.to_builtins(data.attributes)
    metadata = row.metadata if data.metadata is None else data.metadata
    name = data.name or row.name
    await db.execute(call.conn, UPDATE, call.project_id, row.id, name, _body(said, row.body), metadata)
    await _tell(call, row.id, "updated")
    return await read(call, row.id)


async def remove(call: Call, name: str) -> None:
    """Delete a reward. Raises `ApiError` 404, 400 ``resource_in_use`` while a program has it."""
    row = await locked(call, name)
    programs = await programs_store.programs_with(call.conn, call.project_id, row.id)
    if programs:
        raise in_use(
            "reward", older("reward", row.id), "campaign", [older("campaign", p["id"]) for p in programs]
        )
    await _tell(call, row.id, "deleted")
    await db.execute(call.conn, DELETE, call.project_id, row.id)


async def locked(call: Call, name: str) -> RewardRow:
    """A reward to be changed, locked. Raises `ApiError` 404, 400 for one that the newer API made."""
    row = await db.row(call.conn, RewardRow, LOCK, call.project_id, stored("reward", name))
    if row is None or not name.startswith("rew_"):
        raise not_found("reward", name)
    if not row.own:
        raise ApiError(
            400, "invalid_reward", "Invalid reward", "The reward belongs to /v2/loyalties and is changed there.",
            resource_id=name, resource_type="reward",
        )  # fmt: skip
    return row


async def hold(call: Call, name: str) -> RewardRow | None:
    """A reward, whoever made it, locked."""
    return await db.row(call.conn, RewardRow, LOCK, call.project_id, stored("reward", name))


async def find(conn: db.Db, project_id: str, name: str) -> RewardRow | None:
    """A reward by any of its ids."""
    return await db.row(conn, RewardRow, FIND, project_id, stored("reward", name))


async def find_all(conn: db.Db, project_id: str, ids: list[str]) -> dict[str, RewardRow]:
    """Rewards by the ids that they are stored under."""
    return {row.id: row for row in await db.rows(conn, RewardRow, FIND_ALL, project_id, ids)}


async def read(call: Call, name: str) -> OlderReward:
    """A reward. Raises `ApiError` 404."""
    row = await find(call.db, call.project_id, name)
    if row is None:
        raise not_found("reward", name)
    return shown(row)


async def listed(call: Call, assignment_id: str | None) -> OlderRewards:
    """A page of rewards. Raises `ApiError` 400 for a query that cannot be."""
    zone, query = call.caller.timezone, by_stored_id("reward", call.query)
    found = await page(call.db, RewardRow, LISTING, call.project_id, query, args=(assignment_id,), zone=zone)
    return OlderRewards(
        data=[shown(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=UNSET
        if found.more_starting_after is None
        else older("reward", found.more_starting_after),
    )


async def _tell(call: Call, reward_id: str, what: str) -> None:
    """The event of the newer API, which knows no coins, and that definitions changed."""
    row = await store.find(call.conn, call.project_id, "reward", reward_id)
    if row is not None:
        await tell(call, REWARD, row, what)
    else:
        await changed(call.conn, call.project_id, [("loyalty", reward_id)])
