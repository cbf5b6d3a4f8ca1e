"""Classifiers by name: whatever a user has on disk or in an installed package becomes a model."""
