"""Who a face is and what it feels, as vectors."""
