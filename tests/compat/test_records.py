"""Customers, the catalog and orders, through the SDK."""

from datetime import UTC, date, datetime, timedelta

import pytest
import voucherify as v

from .sdk import Sdk


def test_customers_live_and_go(sdk: Sdk) -> None:
    source_id = sdk.name("shopper/1 with space")
    made = sdk.customers.create_customer(
        v.CustomersCreateRequestBody(
            source_id=source_id,
            name="Ada Shopper",
            email="ada@shop.example",
            phone="+48 500 100 200",
            description="buys fruit",
            birthdate=date(1990, 2, 28),
            address=v.CustomersCreateRequestBodyAddress(city="Lodz", country="PL", postal_code="90-001"),
            metadata={"vip": True, "score": 7},
        )
    )
    assert made.id.startswith("cust_")
    assert made.object == "customer"
    assert (made.address.city, made.address.line_1) == ("Lodz", None)
    assert made.birthdate == date(1990, 2, 28)
    assert made.summary.redemptions.total_redeemed == 0
    assert made.summary.orders.total_count == 0
    assert made.loyalty.points == 0
    assert made.referrals.total == 0

    again = sdk.customers.create_customer(v.CustomersCreateRequestBody(source_id=source_id, name="Ada S."))
    assert (again.id, again.name, again.email) == (made.id, "Ada S.", "ada@shop.example")
    changed = sdk.customers.update_customer(
        source_id, v.CustomersUpdateRequestBody(phone=None, metadata={"score": 8})
    )
    assert changed.metadata == {"vip": True, "score": 8}
    assert changed.phone is None  # an explicit null clears
    assert sdk.customers.get_customer(made.id).to_dict() == sdk.customers.get_customer(source_id).to_dict()

    sdk.customers.delete_customer(made.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.customers.get_customer(made.id)
    assert gone.value.status == 404
    receipt = sdk.customers.customer_permanently_deletion(made.id)
    assert (receipt.related_object_id, receipt.status) == (made.id, "DONE")


def test_what_a_customer_did(sdk: Sdk) -> None:
    source_id = sdk.name("active")
    customer = sdk.customers.create_customer(v.CustomersCreateRequestBody(source_id=source_id, name="Ada"))
    order = v.OrdersCreateRequestBody(customer=v.Customer(id=customer.id), amount=5_000, status="PAID")
    made = sdk.orders.create_order(order)
    did = sdk.customers.list_customer_activity(source_id, limit=2)
    assert {one.type for one in did.data} == {"customer.order.paid", "customer.order.created"}
    assert (did.has_more, did.data[0].data["data"]["order"]["id"]) == (True, made.id)
    rest = sdk.customers.list_customer_activity(source_id, starting_after_id=did.more_starting_after)
    assert [one.type for one in rest.data] == ["customer.created"]
    paid = sdk.customers.list_customer_activity(source_id, type="customer.order.paid")
    assert [one.type for one in paid.data] == ["customer.order.paid"]
    older = sdk.raw("GET", f"/v1/customers/{customer.id}/activities?limit=1")
    assert (older["total"], older["has_more"]) == (3, True)


def test_customers_are_listed(sdk: Sdk) -> None:
    begin = datetime.now(UTC) - timedelta(hours=1)
    names = [sdk.name("listed") for _ in range(5)]
    for name in names:
        sdk.customers.create_customer(
            v.CustomersCreateRequestBody(source_id=name, name="Listed Person", email=f"{name}@shop.example")
        )
    order = v.ParameterOrderListCustomers.SOURCE_ID
    pages = [
        sdk.customers.list_customers(limit=2, page=number, name="Listed Person", order=order)
        for number in (1, 2, 3)
    ]
    assert [one.source_id for page in pages for one in page.customers] == sorted(names)
    assert [(page.object, page.data_ref, page.total) for page in pages] == [("list", "customers", 5)] * 3
    assert [page.has_more for page in pages] == [True, True, False]

    newest = sdk.customers.list_customers(limit=1, name="Listed Person").customers[0]
    assert newest.source_id == names[-1]
    older = sdk.customers.list_customers(name="Listed Person", starting_after=newest.created_at)
    assert newest.source_id not in [one.source_id for one in older.customers]
    assert sdk.customers.list_customers(email=f"{names[2]}@shop.example").customers[0].source_id == names[2]
    assert sdk.customers.list_customers(created_at_before=begin).total == 0
    assert sdk.customers.list_customers(created_at_after=begin, name="Listed Person").total == 5


def test_customers_without_ids(sdk: Sdk) -> None:
    made = sdk.customers.create_customer(
        v.CustomersCreateRequestBody(name="Walk In", email="in@shop.example")
    )
    assert made.source_id is None
    assert sdk.customers.get_customer(made.id).name == "Walk In"


def test_products_live_and_go(sdk: Sdk) -> None:
    source_id = sdk.name("apple")
    made = sdk.products.create_product(
        v.ProductsCreateRequestBody(
            source_id=source_id, name="Apple", price=20000, attributes=["colour"], metadata={"bio": True}
        )
    )
    assert (made.object, made.price, made.attributes, made.image_url) == ("product", 20000, ["colour"], None)
    again = sdk.products.create_product(v.ProductsCreateRequestBody(source_id=source_id, price=21000))
    assert (again.id, again.name, again.price) == (made.id, "Apple", 21000)
    assert sdk.products.update_product(made.id, v.ProductsUpdateRequestBody(price=55000)).price == 55000
    read = sdk.products.get_product(source_id)
    assert (read.id, read.price, read.skus.total) == (made.id, 55000, 0)

    other = sdk.products.create_product(v.ProductsCreateRequestBody(name="Pear", price=60000))
    listed = sdk.products.list_products(limit=2)
    assert listed.data_ref == "products"
    assert [one.id for one in listed.products] == [other.id, made.id]
    assert listed.total >= 2
    assert sdk.products.list_products(end_date=datetime(2020, 1, 1, tzinfo=UTC)).total == 0

    sdk.products.delete_product(made.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.products.get_product(made.id)
    assert gone.value.status == 404
    sdk.products.delete_product(other.id, force=True)


def test_skus_live_and_go(sdk: Sdk) -> None:
    product = sdk.products.create_product(v.ProductsCreateRequestBody(name="Shirt", price=20000))
    source_id = sdk.name("shirt-red")
    sku = sdk.products.create_sku(
        product.id,
        v.ProductsSkusCreateRequestBody(
            source_id=source_id, sku="Red shirt", price=5000, currency="EUR", attributes={"colour": "red"}
        ),
    )
    assert (sku.object, sku.product_id, sku.sku, sku.attributes) == (
        "sku", product.id, "Red shirt", {"colour": "red"},
    )  # fmt: skip
    changed = sdk.products.update_sku(product.id, sku.id, v.ProductsSkusUpdateRequestBody(price=2000))
    assert changed.price == 2000
    assert sdk.products.get_sku(source_id).id == sku.id
    listed = sdk.products.list_skus_in_product(product.id, limit=10)
    assert (listed.data_ref, listed.total, listed.skus[0].id) == ("skus", 1, sku.id)
    assert sdk.products.get_product(product.id).skus.data[0].id == sku.id
    sdk.products.delete_sku(product.id, sku.id)
    with pytest.raises(v.ApiException) as gone:
        sdk.products.get_sku(sku.id)
    assert gone.value.status == 404


def test_orders_are_reckoned(sdk: Sdk) -> None:
    product = sdk.products.create_product(
        v.ProductsCreateRequestBody(source_id=sdk.name("tea"), name="Tea", price=1250)
    )
    made = sdk.orders.create_order(
        v.OrdersCreateRequestBody(
            source_id=sdk.name("order"),
            customer=v.Customer(source_id=sdk.name("buyer"), name="Bo"),
            items=[
                v.OrderItem(product_id=product.id, quantity=2),
                v.OrderItem(source_id="unknown", related_object="product", quantity=3, price=100),
            ],
            metadata={"lane": 4},
        )
    )
    assert (made.status, made.amount, made.total_amount) == ("CREATED", 2800, 2800)
    assert [(line.price, line.amount) for line in made.items] == [(1250, 2500), (100, 300)]
    assert made.items[0].product.name == "Tea"
    assert made.customer_id.startswith("cust_")
    paid = sdk.orders.update_order(made.id, v.OrdersUpdateRequestBody(status="PAID"))
    assert (paid.id, paid.status, paid.amount) == (made.id, "PAID", 2800)
    assert sdk.orders.get_order(made.source_id).status == "PAID"
    listed = sdk.orders.list_orders(limit=1, order=v.ParameterOrderListOrders.MINUS_CREATED_AT)
    assert (listed.data_ref, listed.orders[0].id) == ("orders", made.id)


def test_an_order_with_a_currency_and_a_customer_without_ids(sdk: Sdk) -> None:
    """The SDK drops the currency itself; raw clients send it, so it has to pass too."""
    body = v.OrdersCreateRequestBody(
        source_id=sdk.name("order"), amount=1000, customer=v.Customer(name="New", email="new@shop.example")
    )
    made = sdk.orders.create_order(body)
    assert (made.status, made.amount, made.items) == ("CREATED", 1000, None)
    assert sdk.customers.get_customer(made.customer_id).email == "new@shop.example"
    raw = sdk.raw(
        "POST", "/v1/orders", {"amount": 1500, "currency": "USD", "customer": None, "metadata": None}
    )
    assert (raw["amount"], raw["customer_id"]) == (1500, None)


def test_fields_nobody_knows_are_dropped(sdk: Sdk) -> None:
    """The official tests send a name for a SKU and a currency for an order."""
    product = sdk.raw(
        "POST", "/v1/products", {"name": "Cap", "price": 20000, "colour": "blue", "metadata": None}
    )
    assert "colour" not in product
    sku = sdk.raw("POST", f"/v1/products/{product['id']}/skus", {"name": "Blue cap", "price": 5000})
    assert (sku["price"], sku["sku"]) == (5000, None)
