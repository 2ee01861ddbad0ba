"""The contracts that providers implement, one for each service."""
