"""Read what authorities and DfE hold into the toolkit's own shapes."""
