"""Categories of offers, and the stacking rules that speak of them."""
