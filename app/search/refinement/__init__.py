"""What becomes of an order of hits: refined by marks, copies as one, alike ones spread; and photos as examples."""
