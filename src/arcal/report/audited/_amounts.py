"""An audit's figures as text, rounded so that none is misleading."""

import math
from collections.abc import Callable
from dataclasses import replace

from arcal.auditing import Estimate


def percent(value: float) -> str:
    """A share as a percentage, which is 0 or 100 only if the share is.

    >>> percent(0.913), percent(0.9996), percent(0.9999999), percent(0.0002), percent(1.0)
    ('91.3 %', '99.96 %', '>99.99 %', '<0.1 %', '100.0 %')
    """
    return f"{percentage(value)} %"


def percentage(value: float) -> str:
    """The same without the per cent sign."""
    text = f"{100 * value:.1f}"
    if value < 1 and text == "100.0":
        return f"{math.floor(1e4 * value) / 100:.2f}" if value <= 0.999999 else ">99.99"
    return "<0.1" if value > 0 and text == "0.0" else text


def sure(confidence: float) -> str:
    """From which confidence on, rounded up, with enough digits to tell it from 100 %."""
    digits = 1 if confidence < 0.99 else 3 if confidence < 0.9999 else 6
    steps = math.ceil(round(confidence * 10 ** (2 + digits), 6))
    if steps >= 100 * 10**digits:
        return "100 % confident"
    return f"{steps / 10**digits:.{digits}f} % confident or more"


def points(gap: Estimate) -> str:
    """The size of a gap with its interval, in percentage points."""
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{in_points(abs(gap.value))} points [{in_points(low)}, {in_points(high)}]"


def in_points(value: float, sign: str = "") -> str:
    """A value in percentage points, with one digit, or two if one digit would round it to 0."""
    digits = 2 if abs(value) >= 5e-5 and f"{abs(100 * value):.1f}" == "0.0" else 1
    return f"{100 * value:{sign}.{digits}f}"


def signed(gap: Estimate) -> str:
    """A gap with its sign and interval, in percentage points."""
    value, low, high = (in_points(one, "+") for one in (gap.value, gap.low, gap.high))
    return f"{value} points [{low}, {high}]"


def ece(of: Estimate) -> str:
    """A calibration error with its interval, in percentage points."""
    return f"{in_points(of.value)} points [{in_points(of.low)}, {in_points(of.high)}]"


def number(of: Estimate, sign: str = "", *, interval: bool = True) -> str:
    """A figure with its `interval`, and for `sign` "+" with the signs of positive values, too."""
    if not math.isfinite(of.value):  # a loss, or its change, if a label has probability 0
        return "unknown" if math.isnan(of.value) else "infinite"
    every = (of.value, of.low, of.high)
    digits = 6 if any(5e-7 <= abs(one) < 5e-5 for one in every) else 4  # else it would look like 0
    value, low, high = (f"{one:{sign}.{digits}f}" for one in every)
    return f"{value} [{low}, {high}]" if interval else value


def moved(by: Estimate, size: Callable[[Estimate], str], as_it_is: str) -> str:
    """How far a figure rises or falls, if this is more than chance."""
    if not math.isfinite(by.value):
        return as_it_is
    if by.sign == 0:
        return f"no different beyond chance ({as_it_is})"
    if by.sign > 0:
        return f"higher by {size(by)}"
    return f"lower by {size(replace(by, value=-by.value, low=-by.high, high=-by.low))}"
