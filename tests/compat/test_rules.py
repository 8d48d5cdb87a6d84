"""Segments and validation rules through the SDK."""

import pytest
import voucherify as v

from .sdk import Sdk

OVER_50 = {
    "1": {"name": "order.amount", "property": None, "rules": {}, "conditions": {"$more_than": [5_000]}}
}


def rule(sdk: Sdk, **more: object) -> v.ValidationRulesCreateResponseBody:
    body = v.ValidationRulesCreateRequestBody(
        name=sdk.name("rule"), rules=OVER_50 | {"logic": "1"}, type="advanced", context_type="global", **more
    )
    return sdk.validation_rules.create_validation_rules(body)


def test_segments_live_and_go(sdk: Sdk) -> None:
    source_id = sdk.name("member")
    customer = sdk.customers.create_customer(
        v.CustomersCreateRequestBody(source_id=source_id, metadata={"club": "Gold"}, birthdate="1990-02-28")
    )
    static = sdk.segments.create_segment(
        v.SegmentsCreateRequestBody(name="By hand", type="static", customers=[customer.id])
    )
    assert (static.type, static.filter, static.initial_sync_status) == ("static", None, "DONE")
    gold = {
        "junction": "and",
        "created_at": {"conditions": {"$after": ["2021-12-01T00:00:00.000Z"]}},
        "metadata.club": {"conditions": {"$in": ["Gold", "Silver"]}},
    }
    dynamic = sdk.segments.create_segment(
        v.SegmentsCreateRequestBody(name="Gold", type="passive", filter=gold)
    )
    assert sdk.segments.get_segment(dynamic.id).filter == gold
    its = sdk.customers.list_customer_segments(source_id)
    assert {one.id for one in its.data} == {static.id, dynamic.id}
    assert {one.object for one in its.data} == {"segment"}
    assert its.total == 2
    would_be = sdk.customers.list_customer_segments(sdk.name("nobody"))
    assert would_be.data == []

    changed = sdk.raw("PUT", f"/v1/segments/{dynamic.id}", {"name": "Golden"})
    assert (changed["name"], changed["filter"]) == ("Golden", gold)
    told = sdk.raw("GET", f"/v1/segments/{dynamic.id}/activities")
    assert [one["type"] for one in told["data"]] == ["segment.updated", "segment.created"]
    for one in (static, dynamic):
        members = sdk.customers.list_customers(segment_id=one.id).customers
        assert [member.source_id for member in members] == [source_id]
    listed = sdk.raw("GET", "/v1/segments?limit=2")
    assert [one["id"] for one in listed["data"]] == [dynamic.id, static.id]
    for segment in (static, dynamic):
        sdk.segments.delete_segment(segment.id)
        with pytest.raises(v.ApiException) as gone:
            sdk.segments.get_segment(segment.id)
        assert gone.value.status == 404


def test_validation_rules_live_and_go(sdk: Sdk) -> None:
    made = rule(sdk, error={"message": "Spend more"}, applicable_to={"included_all": True})
    assert made.id.startswith("val_")
    assert (made.object, made.type, made.context_type) == ("validation_rules", "advanced", "global")
    assert (made.error.message, made.applicable_to.included_all) == ("Spend more", True)
    assert made.rules["logic"] == "1"
    changed = sdk.validation_rules.update_validation_rule(
        made.id, v.ValidationRulesUpdateRequestBody(name="Another name", rules={"logic": ""})
    )
    assert (changed.name, changed.rules, changed.error.message) == (
        "Another name",
        {"logic": ""},
        "Spend more",
    )
    assert sdk.validation_rules.get_validation_rule(made.id).name == "Another name"
    newest = sdk.validation_rules.list_validation_rules(limit=1)
    assert (newest.data[0].id, newest.data_ref) == (made.id, "data")
    sdk.validation_rules.delete_validation_rules(made.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.validation_rules.get_validation_rule(made.id)
    assert gone.value.status == 404
    with pytest.raises(v.ApiException) as refused:
        rule(sdk, bundle_rules={"1": {"name": "none"}})
    assert (refused.value.status, sdk.key(refused.value)) == (400, "invalid_validation_rules")


def test_an_entry_written_without_its_effect_can_be_read(sdk: Sdk) -> None:
    bare = {
        "name": sdk.name("bare"),
        "rules": {},
        "applicable_to": {"included": [{"object": "product", "id": "prod_1"}]},
    }
    made = sdk.raw("POST", "/v1/validation-rules", bare)
    read = sdk.validation_rules.get_validation_rule(made["id"])
    assert [one.effect for one in read.applicable_to.included] == ["APPLY_TO_EVERY"]
    listed = sdk.validation_rules.list_validation_rules(limit=1)
    assert listed.data[0].id == made["id"]


def test_assignments(sdk: Sdk) -> None:
    made, code = rule(sdk), sdk.name("RULED")
    discount = v.Discount(type="AMOUNT", amount_off=500)
    sdk.vouchers.create_voucher(
        code, v.VouchersCreateWithSpecificCodeRequestBody(type="DISCOUNT_VOUCHER", discount=discount)
    )
    body = v.ValidationRulesAssignmentsCreateRequestBody(
        related_object_type="voucher", related_object_id=code
    )
    assigned = sdk.validation_rules.create_validation_rule_assignment(
        made.id, validation_rules_assignments_create_request_body=body
    )
    assert (assigned.rule_id, assigned.related_object_type) == (made.id, "voucher")
    shown = sdk.vouchers.get_voucher(code)
    assert [one.id for one in shown.validation_rules_assignments.data] == [assigned.id]
    with pytest.raises(v.ApiException) as twice:
        sdk.validation_rules.create_validation_rule_assignment(
            made.id, validation_rules_assignments_create_request_body=body
        )
    assert (twice.value.status, sdk.key(twice.value)) == (409, "duplicate_found")
    its = sdk.validation_rules.list_validation_rule_assignments(made.id)
    by_object = sdk.validation_rules.list_validation_rules_assignments(related_object_id=shown.id)
    assert [one.id for one in its.data] == [one.id for one in by_object.data] == [assigned.id]
    assert sdk.validation_rules.get_validation_rule(made.id).assignments_count == 1
    sdk.validation_rules.delete_validation_rule_assignment(made.id, assigned.id)
    assert sdk.vouchers.get_voucher(code).validation_rules_assignments.total == 0
