"""What filters of product collections may look at: the attributes of products and SKUs."""

from guerdon.engine.filter import Kind

PRODUCT_FIELDS: dict[str, Kind] = {
    "id": "text",
    "source_id": "text",
    "name": "text",
    "sku": "text",
    "price": "number",
    "image_url": "text",
    "attributes": "text",
    "created_at": "date",
    "updated_at": "date",
    "metadata.*": "any",
}
"""`name` and `sku` are both a SKU's name; `price` is in minor units; `attributes` are the names of a product's
attributes and the values of a SKU's."""
