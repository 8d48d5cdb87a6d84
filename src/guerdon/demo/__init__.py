"""`guerdon demo`: a real year of groceries as a project, a day of it replayed, and a shop to play in."""
