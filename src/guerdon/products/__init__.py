"""What is sold: products and their SKUs, with the prices that orders fall back on."""
