"""Keeps realizations: files only, immutable, valid because of their record."""
