"""The providers of anysky, one folder each, all laid out like ``digitalocean``."""
