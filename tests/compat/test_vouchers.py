"""Vouchers on their own, through the SDK: made, read, changed, listed, imported."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import voucherify as v

from .sdk import Sdk

TEN_PERCENT = v.Discount(type="PERCENT", percent_off=10)


def make(sdk: Sdk, start: str = "code", **more: object) -> v.VouchersCreateResponseBody:
    """A voucher with a code of its own."""
    body = v.VouchersCreateWithSpecificCodeRequestBody(
        **({"type": "DISCOUNT_VOUCHER", "discount": TEN_PERCENT} | more)
    )
    return sdk.vouchers.create_voucher(sdk.name(start), body)


def test_a_random_code(sdk: Sdk) -> None:
    made = sdk.vouchers.generate_random_code(
        v.VouchersCreateRequestBody(
            type="DISCOUNT_VOUCHER",
            discount=v.Discount(type="AMOUNT", amount_off=2000.0),
            code_config=v.CodeConfig(pattern="PRE-####-POST"),
            start_date=datetime(2026, 1, 1, tzinfo=UTC),
            expiration_date=datetime(2090, 12, 31, tzinfo=UTC),
            redemption=v.VouchersCreateRequestBodyRedemption(quantity=3),
            additional_info="for a friend",
            metadata={"test": True, "locale": "de-en"},
        )
    )
    assert (made.code[:4], made.code[-5:], len(made.code)) == ("PRE-", "-POST", 13)
    assert made.id.startswith("v_")
    assert (made.object, made.campaign, made.campaign_id, made.gift, made.loyalty_card) == (
        "voucher", None, None, None, None,
    )  # fmt: skip
    assert (made.discount.type, made.discount.amount_off) == ("AMOUNT", 2000)
    assert (made.redemption.quantity, made.redemption.redeemed_quantity) == (3, 0)
    assert made.redemption.url.startswith("/v1/vouchers/PRE-")
    assert (made.additional_info, made.metadata) == ("for a friend", {"test": True, "locale": "de-en"})
    assert made.validation_rules_assignments.total == 0


def test_a_code_with_odd_characters(sdk: Sdk) -> None:
    code = sdk.name("50% off/żółć#")
    made = sdk.vouchers.create_voucher(
        code, v.VouchersCreateWithSpecificCodeRequestBody(discount=TEN_PERCENT)
    )
    assert (made.code, made.type) == (code, "DISCOUNT_VOUCHER")  # the type is inferred from the discount
    assert sdk.vouchers.get_voucher(code).id == sdk.vouchers.get_voucher(made.id).id
    with pytest.raises(v.ApiException) as twice:
        sdk.vouchers.create_voucher(code, v.VouchersCreateWithSpecificCodeRequestBody(discount=TEN_PERCENT))
    assert twice.value.status in (400, 409)


def test_every_kind_of_discount_comes_back(sdk: Sdk) -> None:
    product = sdk.products.create_product(v.ProductsCreateRequestBody(name="Mug", price=900))
    kinds = [
        v.Discount(type="AMOUNT", amount_off=100, effect="APPLY_TO_ITEMS", aggregated_amount_limit=150),
        v.Discount(type="PERCENT", percent_off=12.5, amount_limit=1000),
        v.Discount(type="FIXED", fixed_amount=4999),
        v.Discount(type="UNIT", unit_off=1, unit_type=product.id, effect="ADD_MISSING_ITEMS"),
        v.Discount(type="UNIT", effect="ADD_MANY_ITEMS", units=[
            v.DiscountUnitMultipleOneUnit(unit_off=1, unit_type=product.id, effect="ADD_NEW_ITEMS"),
        ]),
        v.Discount(type="UNIT", unit_off=1, unit_type="prod_5h1pp1ng", effect="ADD_MISSING_ITEMS"),
    ]  # fmt: skip
    for wanted in kinds:
        back = sdk.vouchers.get_voucher(make(sdk, discount=wanted).code).discount
        said = wanted.model_dump(exclude_none=True)
        shown = back.model_dump(exclude_none=True)
        assert {name: value for name, value in shown.items() if name in said} == said


def test_windows_come_back(sdk: Sdk) -> None:
    hours = v.ValidityHours(
        daily=[v.ValidityHoursDailyItem(start_time="09:00", expiration_time="17:00", days_of_week=[0, 6])]
    )
    made = make(sdk, validity_hours=hours)
    assert made.validity_hours.to_dict() == hours.to_dict()
    framed = make(
        sdk,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        validity_timeframe=v.ValidityTimeframe(interval="P7D", duration="P1D"),
    )
    assert framed.validity_timeframe.to_dict() == {"interval": "P7D", "duration": "P1D"}


def test_vouchers_are_changed(sdk: Sdk) -> None:
    made = make(sdk, expiration_date=datetime(2080, 1, 1, tzinfo=UTC), metadata={"a": 1})
    changed = sdk.vouchers.update_voucher(
        made.code,
        v.VouchersUpdateRequestBody(
            category="sale", additional_info="seen", active=False, metadata={"b": 2}, expiration_date=None
        ),
    )
    assert (changed.category, changed.additional_info, changed.active) == ("sale", "seen", False)
    assert (changed.metadata, changed.expiration_date) == ({"a": 1, "b": 2}, None)
    better = sdk.vouchers.update_voucher(
        made.code, v.VouchersUpdateRequestBody(discount=v.Discount(type="PERCENT", percent_off=15.5))
    )
    assert better.discount.percent_off == 15.5
    amount = v.VouchersUpdateRequestBody(discount=v.Discount(type="AMOUNT", amount_off=100))
    with pytest.raises(v.ApiException) as other_kind:
        sdk.vouchers.update_voucher(made.code, amount)
    assert (other_kind.value.status, sdk.key(other_kind.value)) == (400, "invalid_voucher")


def test_vouchers_are_switched_off_and_on(sdk: Sdk) -> None:
    code = make(sdk).code
    assert sdk.vouchers.disable_voucher(code).active is False
    assert sdk.vouchers.get_voucher(code).active is False
    assert sdk.vouchers.enable_voucher(code).active is True


def test_vouchers_go(sdk: Sdk) -> None:
    binned, freed = make(sdk), make(sdk)
    sdk.vouchers.delete_voucher(binned.code)
    sdk.vouchers.delete_voucher(freed.code, force=True)
    for code in (binned.code, freed.code):
        with pytest.raises(v.ApiException) as gone:
            sdk.vouchers.get_voucher(code)
        assert (gone.value.status, sdk.key(gone.value)) == (404, "not_found")
    body = v.VouchersCreateWithSpecificCodeRequestBody(discount=TEN_PERCENT)
    with pytest.raises(v.ApiException):
        sdk.vouchers.create_voucher(binned.code, body)  # the bin keeps it
    assert sdk.vouchers.create_voucher(freed.code, body).id != freed.id


def test_vouchers_are_listed(sdk: Sdk) -> None:
    category = sdk.name("category")
    codes = [make(sdk, start, category=category).code for start in ("LB", "LA", "LC")]
    page = sdk.vouchers.list_vouchers(category=category, limit=2, order=v.ParameterOrderVouchers.CODE)
    assert (page.object, page.data_ref, page.total) == ("list", "vouchers", 3)
    assert [one.code for one in page.vouchers] == sorted(codes)[:2]
    rest = sdk.vouchers.list_vouchers(category=category, limit=2, page=2, order=v.ParameterOrderVouchers.CODE)
    assert [one.code for one in rest.vouchers] == sorted(codes)[2:]
    newest = sdk.vouchers.list_vouchers(category=category)
    assert [one.code for one in newest.vouchers] == codes[::-1]
    assert sdk.vouchers.list_vouchers(code=codes[1]).vouchers[0].code == codes[1]
    ids = [one.id for one in newest.vouchers[:2]]
    assert {one.id for one in sdk.vouchers.list_vouchers(ids=ids).vouchers} == set(ids)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    before = v.ParameterCreatedBeforeAfter(before=long_ago)
    assert sdk.vouchers.list_vouchers(category=category, created_at=before).total == 0
    after = v.ParameterCreatedBeforeAfter(after=long_ago)
    assert sdk.vouchers.list_vouchers(category=category, created_at=after).total == 3
    touched = v.ParameterUpdatedBeforeAfter(after=long_ago)
    assert sdk.vouchers.list_vouchers(category=category, updated_at=touched).total == 0


def test_filters_as_other_clients_write_them(sdk: Sdk) -> None:
    """This SDK's voucher list knows no filters; the JavaScript one sends them so, with ``%24`` for ``$``."""
    category = sdk.name("category")
    codes = [make(sdk, "F", category=category, metadata={"rank": rank}).code for rank in range(4)]
    sdk.vouchers.disable_voucher(codes[0])

    def find(*pairs: str) -> list[str]:
        query = "&".join([f"category={category}", "order=created_at", *pairs])
        return [one["code"] for one in sdk.raw("GET", f"/v1/vouchers?{query}")["vouchers"]]

    assert find("filters[code][conditions][%24is]=" + codes[2]) == [codes[2]]
    assert find("filters%5Bcode%5D%5Bconditions%5D%5B%24in%5D%5B0%5D=" + codes[3]) == [codes[3]]
    assert find("filters[active][conditions][$disabled]=true") == codes[:1]
    assert find("filters[metadata.rank][conditions][$more_than][0]=1") == codes[2:]
    either = (
        "filters[metadata.rank][conditions][$is][0]=1",
        f"filters[code][conditions][$is][0]={codes[3]}",
        "filters[junction]=OR",
    )
    assert find(*either) == [codes[1], codes[3]]
    first = sdk.raw("GET", f"/v1/vouchers?category={category}&limit=3&order=created_at")
    assert first["has_more"] is True
    behind = "starting_after_id=" + first["more_starting_after"]
    assert find("limit=3", behind) == codes[3:]


def test_vouchers_are_imported_from_json(sdk: Sdk) -> None:
    codes = [sdk.name("json") for _ in range(2)]
    items = [
        v.VouchersImportCreateItemRequestBody(
            code=code,
            type="DISCOUNT_VOUCHER",
            discount=v.Discount(type="AMOUNT", amount_off=700),
            category="imported",
            redemption=v.VouchersImportCreateItemRequestBodyRedemption(quantity=2),
        )
        for code in codes
    ]
    done = sdk.finished(sdk.vouchers.import_vouchers(items).async_action_id)
    assert (done.type, done.operation_status, done.result["done_count"]) == ("VOUCHERS.IMPORT", "SUCCESS", 2)
    one = sdk.vouchers.get_voucher(codes[1])
    assert (one.discount.amount_off, one.category, one.redemption.quantity) == (700, "imported", 2)


def test_vouchers_are_imported_from_csv(sdk: Sdk, tmp_path: Path) -> None:
    good, bad = sdk.name("csv"), sdk.name("csv")
    file = tmp_path / "vouchers.csv"
    file.write_text(
        "Code,Voucher Type,Value,Discount Type,Category,Start Date,Expiration Date,Redemption Limit,"
        "Redeemed Quantity,Redeemed Amount,Active,Additional Info,Season\n"
        f"{good},DISCOUNT_VOUCHER,15,AMOUNT,news,2026-01-01,2090-12-31T10:00:00Z,5,1,,true,note,Fall\n"
        f"{bad},DISCOUNT_VOUCHER,fifteen,AMOUNT,,,,,,,,,\n"
    )
    accepted = sdk.vouchers.import_vouchers_using_csv(str(file), webhooks_enable=True)
    done = sdk.finished(accepted.async_action_id)
    assert (done.type, done.result["done_count"], done.result["failed_count"]) == (
        "VOUCHERS.IMPORT_CSV",
        1,
        1,
    )
    one = sdk.vouchers.get_voucher(good)
    assert (one.discount.amount_off, one.category, one.additional_info) == (15, "news", "note")
    assert (one.redemption.quantity, one.redemption.redeemed_quantity) == (5, 1)
    assert (one.campaign_id, one.metadata) == (None, {"Season": "Fall"})
