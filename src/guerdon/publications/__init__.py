"""Publications: which code was given to which customer."""
