"""Who is near: search over arrays of embeddings. Knows no items."""
