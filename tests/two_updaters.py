"""One of two processes, started by `test_smoothing_on_two_processes.py`: each has its own rows."""

import torch

from arcal import AdaptiveLabelSmoothing, ArcalError
from launching import one_of_two

N, R = 101, 3


def predictions():
    """Ids, confidence and whether it is right of a validation set of odd size."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randperm(1000, generator=draw)[:N]
    confidence = torch.rand(N, generator=draw, dtype=torch.float64)
    return ids, confidence, torch.rand(N, generator=draw) < 0.4


def smoothing(levels, rule):
    """A loss that knows the levels of the validation set."""
    loss = AdaptiveLabelSmoothing(4, levels, alpha=0.3, update=rule)
    ids, confidence, _ = predictions()
    loss.assign("validation", ids, (confidence * levels).long())
    return loss


def error(loss, *arguments):
    """What an update says of bad input."""
    try:
        loss.update(*arguments)
    except ArcalError as raised:
        return str(raised)
    return "nothing"


def main(rank):
    ids, confidence, correct = predictions()
    rows = torch.arange(rank, N + 1, 2) % N  # padded by the first, as DistributedSampler does
    mine = confidence[rows], correct[rows], ids[rows]
    result = {}
    for levels, rule in ((1, "own"), (R, "own"), (R, "joint")):
        loss = smoothing(levels, rule)
        gaps = [loss.update(*mine).tolist(), loss.update(*(x.numpy() for x in mine)).tolist()]
        everything = smoothing(levels, rule)
        everything.update(confidence, correct, ids, gathered=True)
        everything.update(confidence, correct, ids)
        result[f"{levels} {rule}"] = gaps, loss.soft_label.tolist()
        assert torch.equal(everything.soft_label, loss.soft_label)
    loss = smoothing(R, "own")
    one_is_wrong = confidence[rows] + (2 if rank else 0)
    unknown = ids[rows] + (5000 if rank else 0)
    result["errors"] = [
        error(loss, one_is_wrong, correct[rows], ids[rows]),
        error(loss, confidence[rows], correct[rows], None if rank else ids[rows]),
        error(loss, confidence[rows], correct[rows], unknown),
        error(loss, confidence[:0], correct[:0], ids[:0]),
    ]
    empty = slice(0, 0) if rank else slice(None)
    loss.update(confidence[empty], correct[empty], ids[empty])  # one process may have no share
    result["one share"] = loss.soft_label.tolist()
    return result


if __name__ == "__main__":
    one_of_two(main)
