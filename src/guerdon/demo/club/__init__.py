"""The demo's loyalty program: real households earn points on their real baskets, day by day."""
