"""arcal."""

from arcal._version import __version__
