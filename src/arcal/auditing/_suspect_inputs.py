"""An accuracy that is hardly better than chance: the inputs are suspected, aloud."""

from scipy.special import bdtrc

FEWEST = 30
"""Inputs below which nothing is said: a good model of two classes could look the same."""

SIGNIFICANCE = 1e-3


def suspect_inputs(accuracy: float, Z: int, N: int) -> str | None:
    """A sentence if the accuracy on N inputs of Z classes is not clearly above 1/Z, otherwise None.

    Clearly is: guessing each class with probability 1/Z would be right as often or more often in
    less than one case of a thousand (binomial, one-sided). A model whose classes are in another
    order is as low, or lower. Nothing is said of fewer than 30 inputs, nor does it allow for
    classes of unequal size, where always naming the largest is better than 1/Z.

    >>> suspect_inputs(0.102, Z=10, N=1000)
    'the model is right on 10.2 % of 1,000 inputs, hardly more than chance (10 %): wrong \
normalisation or class order?'
    >>> suspect_inputs(0.6, Z=10, N=1000) is None
    True
    """
    right = round(accuracy * N)
    if N < FEWEST or bdtrc(right - 1, N, 1 / Z) < SIGNIFICANCE:
        return None
    return (
        f"the model is right on {100 * accuracy:.3g} % of {N:,} inputs, hardly more than chance "
        f"({100 / Z:.3g} %): wrong normalisation or class order?"
    )
