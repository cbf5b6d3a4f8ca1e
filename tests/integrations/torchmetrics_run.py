"""One of two processes, each with its own predictions, started by `test_torchmetrics.py`."""

from test_torchmetrics import N, metrics, predictions

from launching import one_of_two


def main(rank: int) -> dict:
    values = {}
    for name, (metric, n) in metrics().items():
        rows = slice(0, 50) if rank else slice(50, N)
        metric.update(*(column[rows] for column in predictions()[:n]))
        values[name] = metric.compute().tolist()
    return values


if __name__ == "__main__":
    one_of_two(main)
