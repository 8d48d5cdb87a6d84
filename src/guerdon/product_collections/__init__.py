"""Product collections: products and SKUs named one by one, or found by a filter."""
