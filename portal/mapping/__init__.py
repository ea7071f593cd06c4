"""The way of a retailer's files into the product: proposed, tried out and checked before anything is built."""
