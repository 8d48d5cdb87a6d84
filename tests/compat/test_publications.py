"""Publications, custom events and their schemas through the SDK."""

import pytest
import voucherify as v

from .sdk import Sdk

AMOUNT = v.Discount(type="AMOUNT", amount_off=1000)


def campaign(sdk: Sdk) -> str:
    """A campaign that makes the codes it lacks; its name."""
    made = sdk.campaigns.create_campaign(
        v.CampaignsCreateRequestBody(
            name=sdk.name("published"),
            campaign_type="DISCOUNT_COUPONS",
            type="AUTO_UPDATE",
            voucher=v.CampaignsCreateRequestBodyVoucher(type="DISCOUNT_VOUCHER", discount=AMOUNT),
        )
    )
    return made.name


def body(
    sdk: Sdk, name: str, customer: str, count: int = 1, **more: object
) -> v.PublicationsCreateRequestBody:
    return v.PublicationsCreateRequestBody(
        campaign=v.CreatePublicationCampaign(name=name, count=count),
        customer=v.Customer(source_id=customer, name="Alice"),
        metadata={"letter": 7},
        **more,
    )


def test_publishing(sdk: Sdk) -> None:
    name, customer, source_id = campaign(sdk), sdk.name("customer"), sdk.name("letter")
    made = sdk.publications.create_publication(
        publications_create_request_body=body(sdk, name, customer, source_id=source_id, channel="mail")
    )
    assert (made.object, made.result, made.channel) == ("publication", "SUCCESS", "API")
    assert made.voucher.discount.amount_off == 1000
    assert made.vouchers_id == [made.voucher.id]
    assert (made.customer.source_id, made.customer.id) == (customer, made.customer_id)
    same = sdk.publications.create_publication(
        join_once=True, publications_create_request_body=body(sdk, name, customer)
    )
    assert same.voucher.code == made.voucher.code
    several = sdk.publications.create_publication(
        publications_create_request_body=body(sdk, name, customer, 3)
    )
    assert len(several.vouchers) == len(several.vouchers_id) == 3
    with pytest.raises(v.ApiException) as raised:
        sdk.publications.create_publication(
            publications_create_request_body=body(sdk, name, customer, source_id=source_id)
        )
    assert (raised.value.status, sdk.key(raised.value)) == (400, "duplicate_source_id")
    listed = sdk.publications.list_publications(campaign=name, order="-created_at", limit=10)
    assert listed.total == 2
    assert listed.publications[0].vouchers == several.vouchers
    assert listed.publications[1].voucher.code == made.voucher.code
    assert listed.publications[1].channel == "mail"
    [found] = sdk.publications.list_publications(source_id=source_id).publications
    assert found.id == made.id
    assert sdk.publications.list_publications(voucher=made.voucher.code).total == 1


def test_publishing_by_get(sdk: Sdk) -> None:
    name, customer = campaign(sdk), sdk.name("customer")
    made = sdk.publications.create_publication1(
        customer=v.Customer(source_id=customer),
        campaign=v.CreatePublicationCampaign(name=name),
        metadata={"letter": {"number": 7}},
    )
    assert (made.result, made.customer.source_id) == ("SUCCESS", customer)
    assert made.metadata == {"letter": {"number": "7"}}, "in a query all values are texts"
    assert made.voucher.code


def test_a_publication_that_failed_is_listed(sdk: Sdk) -> None:
    code = sdk.name("GIVEN")
    sdk.vouchers.create_voucher(
        code, v.VouchersCreateWithSpecificCodeRequestBody(type="DISCOUNT_VOUCHER", discount=AMOUNT)
    )
    customer = v.Customer(source_id=sdk.name("customer"))
    asked = v.PublicationsCreateRequestBody(voucher=code, customer=customer)
    sdk.publications.create_publication(publications_create_request_body=asked)
    with pytest.raises(v.ApiException) as raised:
        sdk.publications.create_publication(publications_create_request_body=asked)
    assert sdk.key(raised.value) == "voucher_already_published"
    listed = sdk.publications.list_publications(customer=customer.source_id, result="FAILURE")
    assert [one.failure_code for one in listed.publications] == ["voucher_already_published"]


def test_custom_events(sdk: Sdk) -> None:
    name = sdk.name("read")
    schema = v.ManagementProjectsCustomEventSchemasCreateRequestBodySchema(
        properties={"pages": {"type": "number"}}
    )
    made = sdk.management.create_custom_event_schema(
        sdk.project_id,
        v.ManagementProjectsCustomEventSchemasCreateRequestBody(name=name, schema=schema),
    )
    assert (made.name, made.object) == (name, "custom-event-schema")
    assert made.var_schema.properties["pages"]["type"] == "number"
    customer = v.Customer(source_id=sdk.name("customer"))
    event = v.EventsCreateRequestBody(event=name, customer=customer, metadata={"pages": 3})
    tracked = sdk.events.track_custom_event(events_create_request_body=event)
    assert (tracked.object, tracked.type, tracked.metadata) == ("event", name, {"pages": 3})
    assert tracked.customer.source_id == customer.source_id
    change = v.ManagementProjectsCustomEventSchemasUpdateRequestBodySchema(
        properties={"pages": {"type": "string"}}
    )
    changed = sdk.management.update_custom_event_schema(
        sdk.project_id, made.id, v.ManagementProjectsCustomEventSchemasUpdateRequestBody(schema=change)
    )
    assert changed.var_schema.properties["pages"]["type"] == "string"
    with pytest.raises(v.ApiException) as raised:
        sdk.events.track_custom_event(events_create_request_body=event)
    assert sdk.key(raised.value) == "metadata_validation_failed"
    read = sdk.management.get_custom_event_schema(sdk.project_id, made.id)
    assert read.updated_at is not None
    listed = sdk.management.list_custom_event_schemas(sdk.project_id)
    assert made.id in [one.id for one in listed.data]
    sdk.management.delete_custom_event_schema(sdk.project_id, made.id)
    with pytest.raises(v.ApiException) as raised:
        sdk.events.track_custom_event(events_create_request_body=event)
    assert (raised.value.status, sdk.key(raised.value)) == (400, "invalid_payload")
