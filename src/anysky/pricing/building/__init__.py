"""Make catalogues from what vendors, or others, publish."""
