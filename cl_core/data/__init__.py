"""Images: where they come from, how they are decoded, and how views are made of them."""
