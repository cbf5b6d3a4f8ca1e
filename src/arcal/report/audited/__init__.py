"""The findings on audited classifiers: as figures by name, JSON, sentences, the page's payload.

_figures   findings by name
_words     findings in sentences
_doubts    what to fix, or know, before believing the findings
_acting    the confidence from which a model may act alone
_changes   how figures have changed since an earlier audit
_markdown  findings as Markdown
_amounts   a figure as text
_json      findings as JSON
_payload   findings with the inputs, or a sample of them: what the page draws
notebook   an audit in a notebook; it imports matplotlib, so it is imported only when needed
"""

from arcal.report.audited._acting import acts_alone
from arcal.report.audited._amounts import number
from arcal.report.audited._doubts import (
    TOGETHER,
    WEIGHED_BY,
    doubts,
    in_clusters_sentence,
    suspect_one_class,
    suspect_sigmoids,
    suspicions,
)
from arcal.report.audited._figures import Finding, figure_names, figures
from arcal.report.audited._json import FORMAT, acting_json, as_json
from arcal.report.audited._markdown import markdown, model_card
from arcal.report.audited._payload import Shown, payload
from arcal.report.audited._words import headline, notes, summary

__all__ = [
    "FORMAT",
    "TOGETHER",
    "WEIGHED_BY",
    "Finding",
    "Shown",
    "acting_json",
    "acts_alone",
    "as_json",
    "doubts",
    "figure_names",
    "figures",
    "headline",
    "in_clusters_sentence",
    "markdown",
    "model_card",
    "notes",
    "number",
    "payload",
    "summary",
    "suspect_one_class",
    "suspect_sigmoids",
    "suspicions",
]
