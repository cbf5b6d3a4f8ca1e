"""Auditing: what can be said of any classifier, whoever trained it.

models   anything that gives logits, or has given them, as one kind of model and of predictions
"""
