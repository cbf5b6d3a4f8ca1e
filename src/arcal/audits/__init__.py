"""Audits: a classifier and its data in, findings, a page and files out."""
