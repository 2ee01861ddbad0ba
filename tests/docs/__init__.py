"""Tests of the documentation: its examples run and nothing is missing from it."""
