"""The exception that arcal raises for bad input."""

from collections.abc import Iterator
from contextlib import contextmanager


class ArcalError(ValueError):
    """Bad input. The message is one line: what is wrong, where, and what to do about it.

    The command line prints that line on standard error and exits with code 2, without a traceback.

    >>> import torch, arcal
    >>> try:
    ...     arcal.ece(torch.tensor([90.0]), torch.tensor([True]))
    ... except arcal.ArcalError as error:
    ...     print(error)
    confidence must lie in [0, 1], found 90 in row 0: pass a softmax's output, not logits
    """


class ModelInputError(ArcalError):
    """A model fails on its inputs, most likely because of their shape.

    >>> issubclass(ModelInputError, ArcalError)
    True
    """


@contextmanager
def prefixing_errors(what: object) -> Iterator[None]:
    """Put `what` an error is about before its message.

    >>> with prefixing_errors("today.csv"):
    ...     raise ArcalError("it is empty: give a header and rows")
    Traceback (most recent call last):
    arcal.errors.ArcalError: today.csv: it is empty: give a header and rows
    """
    try:
        yield
    except ModelInputError as error:
        raise ModelInputError(f"{what}: {error}") from error
    except ArcalError as error:
        raise ArcalError(f"{what}: {error}") from error


def first_line(error: BaseException) -> str:
    r"""The first line of an error's message, or the name of its class if it has none.

    >>> first_line(RuntimeError("no such operator\n  at line 3")), first_line(MemoryError())
    ('no such operator', 'MemoryError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def a_type(value: object) -> str:
    """The type of a value with its article, for a message.

    >>> a_type([]), a_type(7), a_type(object), a_type(ArcalError())
    ('a list', 'an int', 'a type', 'an ArcalError')
    """
    name = type(value).__name__
    return f"{'an' if name.lower().startswith((*'aeio', 'ndarray')) else 'a'} {name}"
