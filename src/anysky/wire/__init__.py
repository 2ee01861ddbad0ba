"""Protocols that several providers speak: formats, signatures and the shapes of their answers."""
