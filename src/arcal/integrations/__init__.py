"""arcal in other libraries' training loops. Each file imports its library, and nothing else does:

    lightning      a callback for Lightning
    transformers   a Trainer of Hugging Face's
    torchmetrics   ECE, by level and class-wise, as metrics
    sklearn        every calibrator as an estimator of scikit-learn
    measures       one dictionary of figures, as `evaluate` and `compute_metrics` have them

`docs/your-training-loop.md` begins with the lines to add.
"""
