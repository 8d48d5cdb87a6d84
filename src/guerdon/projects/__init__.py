"""Projects, in which everything else lives, and the keys that open them."""
