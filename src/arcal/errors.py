"""The one exception that is the user's to mend."""


class ArcalError(ValueError):
    """Bad input. Its message is one line: what is wrong, where, and what to do.

    The command line prints the line and exits with code 2, without a traceback.
    """
