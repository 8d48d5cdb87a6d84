"""The ground under every slice: database, web, errors, jobs. It knows nothing of promotions."""
