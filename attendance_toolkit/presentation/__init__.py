"""What a notebook shows: blocks made from protected tables. Nothing here computes a figure."""
