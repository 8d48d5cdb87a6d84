"""Categories, metadata schemas, product collections and stacking rules, through the SDK."""

from typing import Any

import pytest
import voucherify as v

from .sdk import Sdk


def category(sdk: Sdk, hierarchy: int = 1) -> v.CategoriesCreateResponseBody:
    body = v.CategoriesCreateRequestBody(name=sdk.name("category"), hierarchy=hierarchy)
    return sdk.categories.create_category(body)


def test_categories(sdk: Sdk) -> None:
    made = category(sdk, 0)
    assert (made.object, made.hierarchy) == ("category", 0)
    changed = sdk.categories.update_category(
        made.id, v.CategoriesUpdateRequestBody(name="Renamed", hierarchy=2)
    )
    assert (changed.name, changed.hierarchy) == ("Renamed", 2)
    assert sdk.categories.get_category(made.id).name == "Renamed"
    listed = sdk.categories.list_categories()
    assert made.id in [one.id for one in listed.data]
    sdk.categories.delete_category(made.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.categories.get_category(made.id)
    assert (gone.value.status, sdk.key(gone.value)) == (404, "not_found")


def test_metadata_schemas(sdk: Sdk) -> None:
    definition = {
        "type": "string",
        "optional": True,
        "array": False,
        "eq": ["gold", "silver"],
        "max_length": 10,
    }
    body = v.ManagementProjectsMetadataSchemasCreateRequestBody(
        related_object="publication", properties={"level": definition}
    )
    made = sdk.management.create_metadata_schema(sdk.project_id, body)
    assert (made.object, made.related_object) == ("metadata_schema", "publication")
    change = v.ManagementProjectsMetadataSchemasUpdateRequestBody(
        properties={"visits": {"type": "number", "optional": True, "array": False, "gte": 0}}
    )
    changed = sdk.management.update_metadata_schema(sdk.project_id, made.id, change)
    assert sorted(changed.properties) == ["level", "visits"]
    assert sdk.management.get_metadata_schema1(sdk.project_id, made.id).id == made.id
    assert made.id in [one.id for one in sdk.management.list_metadata_schemas1(sdk.project_id).data]
    listed = sdk.metadata_schemas.list_metadata_schemas()
    assert made.id in [one.id for one in listed.schemas]
    read = sdk.metadata_schemas.get_metadata_schema("publication")
    assert read.id == made.id
    sdk.management.delete_metadata_schema(sdk.project_id, made.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.metadata_schemas.get_metadata_schema("publication")
    assert gone.value.status == 404


def test_metadata_schemas_with_a_server_key(sdk: Sdk) -> None:
    address = "/v1/metadata-schemas/reward"
    made = sdk.raw("POST", address, {"properties": {"size": {"type": "string", "exactLength": 2}}})
    assert made["related_object"] == "reward"
    changed = sdk.raw("PUT", address, {"allow_defined_only": True})
    assert changed["properties"]["size"]["exactLength"] == 2
    assert sdk.raw("DELETE", address) is None


def test_product_collections(sdk: Sdk) -> None:
    brand = sdk.name("brand")
    product = sdk.products.create_product(
        v.ProductsCreateRequestBody(source_id=sdk.name("collected"), price=7_000, metadata={"brand": brand})
    )
    item = v.ProductCollectionsCreateRequestBodyProductsItem(id=product.id, object="product")
    picked = sdk.product_collections.create_product_collection(
        v.ProductCollectionsCreateRequestBody(type="STATIC", name=sdk.name("picked"), products=[item])
    )
    assert (picked.object, picked.products[0].id) == ("products_collection", product.id)
    wanted: dict[str, Any] = {
        "junction": "and",
        "metadata.brand": {"conditions": {"$is": [brand]}},
        "price": {"conditions": {"$more_than": [5_000]}},
    }
    found = sdk.product_collections.create_product_collection(
        v.ProductCollectionsCreateRequestBody(type="AUTO_UPDATE", name=sdk.name("found"), filter=wanted)
    )
    assert sdk.product_collections.get_product_collection(found.id).type == "AUTO_UPDATE"
    told = sdk.raw("GET", f"/v1/product-collections/{found.id}/activities")
    assert [one["type"] for one in told["data"]] == ["product_collection.created"]
    for one in (picked, found):
        listed = sdk.product_collections.list_products_in_collection(one.id, limit=5)
        assert (listed.total, listed.data[0].id) == (1, product.id)
    assert sdk.product_collections.list_product_collections(limit=100).total >= 2
    renamed = sdk.raw("PUT", f"/v1/product-collections/{picked.id}", {"name": "Renamed"})
    assert renamed["name"] == "Renamed"
    sdk.product_collections.delete_product_collection(picked.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.product_collections.get_product_collection(picked.id)
    assert gone.value.status == 404


def test_stacking_rules(sdk: Sdk) -> None:
    defaults = sdk.management.list_stacking_rules(sdk.project_id).data[0]
    assert (defaults.id, defaults.redeemables_limit) == (None, 30)
    exclusive = category(sdk)
    body = v.ManagementProjectsStackingRulesCreateRequestBody(
        exclusive_categories=[exclusive.id], applicable_redeemables_limit=7
    )
    made = sdk.management.create_stacking_rules(sdk.project_id, body)
    try:
        assert (made.applicable_redeemables_limit, made.redeemables_application_mode) == (7, "ALL")
        with pytest.raises(v.ApiException) as twice:
            sdk.management.create_stacking_rules(sdk.project_id, body)
        assert (twice.value.status, sdk.key(twice.value)) == (409, "stacking_rules_exist")
        change = v.ManagementProjectsStackingRulesUpdateRequestBody(redeemables_application_mode="PARTIAL")
        changed = sdk.management.update_stacking_rules(sdk.project_id, made.id, change)
        assert changed.exclusive_categories == [exclusive.id]
        read = sdk.management.get_stacking_rules(sdk.project_id, made.id)
        assert read.redeemables_application_mode == "PARTIAL"
        with pytest.raises(v.ApiException) as used:
            sdk.categories.delete_category(exclusive.id)
        assert sdk.key(used.value) == "resource_in_use"
    finally:
        sdk.management.delete_stacking_rules(sdk.project_id, made.id)
    assert sdk.management.list_stacking_rules(sdk.project_id).data[0].id is None
