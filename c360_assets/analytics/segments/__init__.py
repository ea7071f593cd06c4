"""Who they are: what is known of each customer, the segments made of it, and how people move between them."""
