"""A scikit-learn perceptron, trained on a scikit-learn table and converted to torch.

`python examples/audits/scikit_learn.py` writes `tumours.csv`, the rows that it was not trained on,
and `predictions.csv`, scikit-learn's own predictions for them.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from arcal.networks import Normalize

TABLE: Any = load_breast_cancer()


def data() -> Any:
    """Training rows, other rows, training labels, other labels; these are text."""
    labels = TABLE.target_names[TABLE.target]
    return train_test_split(TABLE.data, labels, train_size=150, stratify=labels, random_state=0)


def fitted() -> Pipeline:
    """The perceptron, trained on 150 rows whose columns are scaled to deviation 1."""
    rows, _, labels, _ = data()
    perceptron = MLPClassifier((32, 32), max_iter=1000, random_state=0)
    return make_pipeline(StandardScaler(), perceptron).fit(rows, labels)


def network() -> nn.Module:
    """The same in torch, scaling included: rows in the columns' own units to two logits."""
    scaler, perceptron = (step for _, step in fitted().steps)
    mean, deviation = (torch.tensor(a, dtype=torch.float32) for a in (scaler.mean_, scaler.scale_))
    layers: list[nn.Module] = [Normalize(mean, deviation)]
    *hidden, (weights, biases) = zip(perceptron.coefs_, perceptron.intercepts_, strict=True)
    for w, b in hidden:
        layers += [linear(w, b), nn.ReLU()]
    both = np.hstack([0 * weights, weights])  # scikit-learn has one output, the second class's
    model: Any = nn.Sequential(*layers, linear(both, np.append(0, biases)))
    model.class_names = perceptron.classes_.tolist()  # held against the labels in the table
    return model


def linear(weights: np.ndarray, biases: np.ndarray) -> nn.Linear:
    layer = nn.Linear(*weights.shape)
    layer.load_state_dict({"weight": torch.tensor(weights.T), "bias": torch.tensor(biases)})
    return layer


def write(path: str, columns: list[str], rows: np.ndarray, labels: np.ndarray) -> None:
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "label"])
        writer.writerows([*row, label] for row, label in zip(rows.tolist(), labels, strict=True))


def main() -> None:
    _, rows, _, labels = data()
    write("tumours.csv", TABLE.feature_names.tolist(), rows, labels)
    perceptron = fitted()
    names = [f"probability {name}" for name in perceptron.classes_]
    write("predictions.csv", names, perceptron.predict_proba(rows), labels)


if __name__ == "__main__":
    main()
