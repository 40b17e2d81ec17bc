"""Execute notebooks and make pages of them."""
