"""Exports and transactions through the SDK."""

import time
from urllib.parse import parse_qs, urlsplit

import voucherify as v

from .sdk import Sdk

SECONDS = 30.0


def done(sdk: Sdk, export_id: str) -> str:
    """The token of an export's file, once it is written."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = sdk.exports.get_export(export_id)
        if found.status == "DONE":
            return parse_qs(urlsplit(found.result.url).query)["token"][0]
        time.sleep(0.05)
    raise AssertionError(f"{export_id} was not written within {SECONDS} s")


def cards(sdk: Sdk) -> tuple[str, str]:
    """A campaign of gift cards with a card that was topped up: the campaign's id and the card's code."""
    # The SDK reads an answer that names a card or campaign only where that has one character.
    name, code = "W", "Q"
    campaign = sdk.raw("POST", "/v1/campaigns", {
        "name": name, "campaign_type": "GIFT_VOUCHERS", "type": "AUTO_UPDATE", "voucher": {"gift": {"amount": 5000}},
    })  # fmt: skip
    sdk.raw("POST", f"/v1/campaigns/{campaign['id']}/vouchers/{code}", {})
    sdk.raw("POST", f"/v1/vouchers/{code}/balance", {"amount": 250})
    return campaign["id"], code


def test_an_export_is_made_listed_downloaded_and_deleted(sdk: Sdk) -> None:
    sdk.customers.create_customer(v.CustomersCreateRequestBody(source_id=sdk.name("exported"), name="Zoë"))
    wanted = v.ExportsCreateRequestBodyParameters(fields=["name", "source_id"], order="-created_at")
    made = sdk.exports.create_export(
        v.ExportsCreateRequestBody(exported_object="customer", parameters=wanted)
    )
    assert (made.object, made.status, made.exported_object) == ("export", "SCHEDULED", "customer")
    assert made.parameters.fields == ["name", "source_id"]
    token = done(sdk, made.id)
    text = sdk.exports.download_export(made.id, token=token)
    assert text.splitlines()[0] == "Name,Source ID" and "Zoë" in text
    listed = sdk.exports.list_exports(limit=10, order="-created_at")
    assert made.id in [one.id for one in listed.exports] and listed.total >= 1
    sdk.exports.delete_export(made.id)
    assert made.id not in [one.id for one in sdk.exports.list_exports(limit=10).exports]


def test_what_moved_on_cards_is_listed_and_exported(sdk: Sdk) -> None:
    campaign, code = cards(sdk)
    listed = sdk.campaigns.list_campaign_transactions(campaign, limit=10)
    assert [one.type for one in listed.data] == ["CREDITS_ADDITION"] * 2
    of_card = sdk.vouchers.export_voucher_transactions(
        code,
        vouchers_transactions_export_create_request_body=v.VouchersTransactionsExportCreateRequestBody(
            parameters=v.VoucherTransactionsExportParameters(fields=["amount"], order="created_at")
        ),
    )
    assert of_card.exported_object == "voucher_transactions"
    text = sdk.exports.download_export(of_card.id, token=done(sdk, of_card.id))
    assert text.splitlines() == ["Amount", "5000", "250"]
    whole = sdk.campaigns.export_campaign_transactions("W")
    assert len(sdk.exports.download_export(whole.id, token=done(sdk, whole.id)).splitlines()) == 3


def test_orders_are_exported(sdk: Sdk) -> None:
    source_id = sdk.name("order")
    sdk.orders.create_order(v.OrdersCreateRequestBody(source_id=source_id, amount=700))
    made = sdk.orders.create_order_export()
    assert made.exported_object == "order"
    assert source_id in sdk.exports.download_export(made.id, token=done(sdk, made.id))


def test_what_moved_on_loyalty_cards(sdk: Sdk) -> None:
    # As above: names of one character.
    program = {"name": "L", "campaign_type": "LOYALTY_PROGRAM", "voucher": {"loyalty_card": {"points": 100}}}
    sdk.raw("POST", "/v1/campaigns", program)
    sdk.raw("POST", "/v1/campaigns/L/vouchers/M", {})
    sdk.raw("POST", "/v1/vouchers/M/balance", {"amount": 7, "expiration_date": "2050-01-01"})
    assert [
        one.details.balance.points for one in sdk.loyalties.list_loyalty_campaign_transactions("L").data
    ] == [7, 100]
    assert len(sdk.loyalties.list_loyalty_card_transactions("M").data) == 2
    assert len(sdk.loyalties.list_loyalty_card_transactions1("L", "M").data) == 2
    for made in (
        sdk.loyalties.export_loyalty_campaign_transactions("L"),
        sdk.loyalties.export_loyalty_card_transactions("M"),
        sdk.loyalties.export_loyalty_card_transactions1("L", "M"),
    ):
        assert len(sdk.exports.download_export(made.id, token=done(sdk, made.id)).splitlines()) == 3
    lapsing = sdk.loyalties.create_points_expiration_export("L")
    assert "2050-01-01" in sdk.exports.download_export(lapsing.id, token=done(sdk, lapsing.id))
