"""The page's sections on several subjects over their runs: pictures and tables, with their text."""

from collections.abc import Mapping
from dataclasses import replace

from arcal.report import comparison_tables as tables
from arcal.report.names import BOXED, Comparison, corruption_title
from arcal.report.plots import as_address
from arcal.report.reliability_pictures import FEW
from arcal.report.tables import ComparisonPicture, ComparisonSection
from arcal.transforms.corruptions import EXTRA

AVERAGED = " An ensemble averages the probabilities of all of a method's runs"


def sections(comparison: Comparison, drawn: Mapping[str, str]) -> list[ComparisonSection]:
    """All sections in the order of the page. `drawn` are SVG texts by name.

    Pictures that were not drawn are left out, and so are sections with nothing left.
    """
    made = [
        _methods(comparison),
        _reference(comparison),
        _changes(comparison),
        _under_shift(comparison),
        _from_run_to_run(comparison),
        _ensembles(comparison),
        _reliability(comparison),
        *_out_of_distribution(comparison),
        _soft_labels(comparison),
    ]
    shown = [_with_images(section, drawn) for section in made if section is not None]
    return [section for section in shown if section.pictures or section.tables]


def _with_images(section: ComparisonSection, drawn: Mapping[str, str]) -> ComparisonSection:
    pictures = [
        replace(picture, image=as_address(drawn[picture.name]))
        for picture in section.pictures
        if picture.name in drawn
    ]
    return replace(section, id=f"over-seeds-{section.id}", pictures=pictures)


def _methods(comparison: Comparison) -> ComparisonSection:
    return ComparisonSection(
        "methods", "The methods compared", tables=[tables.measures(comparison)]
    )


def _reference(comparison: Comparison) -> ComparisonSection:
    reference = comparison.reference
    ece = "Bottom: ECE; lower is better."
    variance = "There is no variance: it needs at least two runs."
    if reference.levels.variance is not None:
        ece = (
            "Bottom: ECE and the variance of the predicted probabilities over the "
            f"{len(reference.seeds)} runs (summed over classes); lower is better."
        )
        variance = "For the variance the images have one ranking for all runs, by their mean rank."
    picture = ComparisonPicture(
        name="figure-1",
        alt="Accuracy, confidence, ECE and variance by robustness level",
        lead=f"{reference.name.title} on the clean test set, level by level",
        caption=" (the paper's Figure 1). Top: accuracy and confidence; the space between them is "
        f"orange where the model is over-confident and blue where it is under-confident. {ece} "
        f"{_ranking(comparison)} {variance} {_spread(comparison)}",
        width="narrow",
    )
    return ComparisonSection("by-level", "Calibration by robustness level", [picture])


def _changes(comparison: Comparison) -> ComparisonSection:
    others = "the other methods" if comparison.others else "the method"
    picture = ComparisonPicture(
        name="figure-2",
        alt="Accuracy, confidence, ECE and variance by robustness level for all methods",
        lead=f"Accuracy and confidence of {others}, ECE and variance of all",
        caption=f" (the paper's Figure 2), on the clean test set. {_ranking(comparison)} Level r "
        "therefore holds other images for each method and run. For the variance each method has "
        f"one ranking, the mean rank over its runs. {_spread(comparison)}",
    )
    return ComparisonSection(
        "changes", "What the methods change", [picture], [tables.gaps(comparison)]
    )


def _under_shift(comparison: Comparison) -> ComparisonSection | None:
    grid = tables.under_shift(comparison)
    if grid is None:
        return None
    sides = (
        " On the left a type's value is the mean over a method's runs, on the right that of their "
        "averaged probabilities."
        if comparison.several
        else ""
    )
    picture = ComparisonPicture(
        name="shift",
        alt="Box plots of accuracy and ECE by intensity of the shift for each method",
        lead="Accuracy and ECE over types of corruption, by intensity",
        caption=" (the paper's Figure 6). A box spans the 25th to the 75th percentile of the "
        "types, the line in it is the median, and the whiskers end at the smallest and the "
        f"largest type, not at 1.5 times the box.{sides} Only intensities at which {BOXED} types "
        "or more were evaluated are drawn. The marker is the clean test set.",
    )
    note = f"{_means_in_words(comparison)}{_bold(comparison, 'the best mean of a column')}"
    return ComparisonSection("under-shift", "Under shift", [picture], [replace(grid, note=note)])


def _means_in_words(comparison: Comparison) -> str:
    """The note on what the columns under shift are means over."""
    several = bool(comparison.several)
    first = comparison.subjects[0].means["ece"]
    types = list(first.by_type)
    extra = [type for type in types if type in EXTRA]
    note = (
        f"Corrupted test sets: {', '.join(map(corruption_title, types))}. A column is the mean "
        "over types of the figures of single sets, not the figure of all sets pooled"
    )
    note += "; “a ± b” is its mean and deviation over runs." if several else "."
    if sum(first.types) > 1:
        table_3 = " (the paper's Table 3)" if several else ""
        note += (
            " The mean over all types and intensities is, for the ECE, the mean corruption ECE"
            f"{table_3}; no figure is divided by that of another model."
        )
    if extra and len(extra) < len(types):
        note += (
            " The mean of fewer types leaves out the extra ones, with which settings may be chosen "
            f"on validation images: {', '.join(map(corruption_title, extra))}."
        )
    if several:
        note += f"{AVERAGED}; there is one, so it has no deviation."
    return note


def _from_run_to_run(comparison: Comparison) -> ComparisonSection | None:
    grid = tables.stability(comparison)
    if grid is None:
        return None
    picture = ComparisonPicture(
        name="variance",
        alt="Box plots of the variance over runs by intensity of the shift for each method",
        lead="Variance over the runs, by intensity of the shift",
        caption=" (the paper's Figure 3): of all classes, one value per type of corruption. A box "
        "spans the 25th to the 75th percentile of the types, the line in it is the median, and "
        "the whiskers end at the smallest and the largest type. The marker is the clean test set.",
        width="narrow",
    )
    shifted = comparison.subjects[0].means["ece"].overall is not None
    table_5 = ", Table 5" if shifted else ""
    note = (
        "How much the predictions of a method's runs differ, if it has two or more: the mean over "
        f"images (section 5.4{table_5}). The paper does not say which probability its variance is "
        "of, so there are three readings, all unbiased over the runs: of the probabilities of all "
        "classes, summed; of the class that the runs' mean predicts; of each run's own confidence, "
        "which does not see runs that disagree. Churn is the share of images on which two runs "
        "predict different classes, the mean over all pairs. Levels are cut by the mean rank over "
        "a method's runs; level 0 is the least robust."
        f"{_bold(comparison, 'the lowest of a column')}"
    )
    listed = [grid, tables.stability_by_level(comparison)]
    return ComparisonSection("stability", "From run to run", [picture], listed, note)


def _ensembles(comparison: Comparison) -> ComparisonSection | None:
    grid = tables.ensembles(comparison)
    if grid is None:
        return None
    note = (
        "Methods with two or more runs, on the clean test set."
        f"{_bold(comparison, 'the best mean of a column')}"
    )
    return ComparisonSection("ensembles", "Ensembles", tables=[replace(grid, note=note)])


def _reliability(comparison: Comparison) -> ComparisonSection:
    several = bool(comparison.several)
    figure_8 = " (the paper's Figure 8)" if several else ""
    runs = (
        " The first run is shown; points are the accuracies of the others. Runs are "
        "not pooled: they see the same images, so an interval of their pool would be too narrow. "
        "Beside it: the average of all runs' probabilities."
        if several
        else ""
    )
    picture = ComparisonPicture(
        name="reliability",
        alt="Reliability diagrams and histograms of confidence for each method",
        lead="How often a prediction is right, by how sure it is",
        caption=f"{figure_8}, on the clean test set. The "
        "black line on each of the 15 bins of confidence is its accuracy; the colour reaches from "
        "there to its mean confidence: orange is over-confident, blue under-confident. The "
        "vertical line is the bin's 95 % interval of accuracy (Clopper and Pearson). The dashed "
        "line is a calibrated model. Below: how many of the predictions fall in each bin."
        f"{runs} Bins with fewer than {FEW} images are pale.",
    )
    note = (
        "On the clean test set, means over the runs. The ECE has 15 bins of equal width, and, "
        "where it was computed, a 95 % interval over test images (by the bootstrap, each end the "
        "mean over runs). Equal mass: bins of equally many images. Class-wise: the "
        "probabilities of all classes, predicted or not, a mean over classes. Debiased: without "
        "part of the bias of few images; it can be below 0. Chance: the ECE to expect of a "
        "calibrated model with these confidences and as many images."
        f"{_bold(comparison, 'the lowest of a column')}"
    )
    errors = tables.calibration_errors(comparison)
    table = replace(errors, title="More than one calibration error", note=note)
    return ComparisonSection("reliabilities", "Reliability", [picture], [table])


def _out_of_distribution(comparison: Comparison) -> list[ComparisonSection]:
    others = comparison.subjects[0].ood
    note = (
        "AUROC: how often, in a random pair of a test image and an image of the other data, the "
        "test image has the higher confidence or the lower entropy; 0.5 is chance, 1 is perfect."
    )
    note += f"{AVERAGED}." if comparison.several else ""
    note += _bold(comparison, "the highest of a column")
    made = []
    for i, other in enumerate(others):
        how = f", {other.how}" if other.how else ""
        means = " Shares of images are means over a method's runs." if comparison.several else ""
        picture = ComparisonPicture(
            name=f"entropy-{i + 1}",
            alt="Histograms of predictive entropy on the test set and on other data for each "
            "method",
            lead=f"Predictive entropy on {other.name}",
            caption=f", whose classes the models do not know (coloured line, {other.images} "
            f"images{how}), and on their own test set (grey area); the paper's Figure 4. Entropy "
            "goes from 0, certain, to log Z nats, uniform: on other data it should be high."
            f"{means}",
        )
        title = "Out of distribution" + (f": {other.name}" if len(others) > 1 else "")
        table = replace(tables.out_of_distribution(comparison, i), note=note)
        made.append(ComparisonSection(f"other-data-{i + 1}", title, [picture], [table]))
    return made


def _soft_labels(comparison: Comparison) -> ComparisonSection:
    one = sum(subject.soft_labels is not None for subject in comparison.subjects) == 1
    picture = ComparisonPicture(
        name="soft-labels",
        alt="Soft labels of each level over the epochs",
        lead="The soft label of the correct class",
        caption=", 1 − ε + ε/Z (Eq. 2), of each level of the training set after each epoch; mean "
        "over runs. It starts at 1, the label as it is, and falls where the validation set shows "
        "over-confidence. Levels are those the method was trained with: the vanilla models of its "
        "seeds cut them and, where it says on the fly, its own model cut them again. A black line "
        "is a method with one label for all.",
        width="narrow" if one else "wide",
    )
    return ComparisonSection("labels", "How the labels adapt", [picture])


def _spread(comparison: Comparison) -> str:
    """The sentence on error bars."""
    if comparison.several:
        return "Error bars are one standard deviation over the runs."
    return "There is one run, so no deviation is shown."


def _ranking(comparison: Comparison) -> str:
    """The sentence on how the images are ranked and divided into levels."""
    order, R = comparison.order, comparison.R
    ranked = (
        "Images are ranked by chance"
        if order == "random"
        else f"Each run's images are ranked by its own model ({order} order)"
    )
    return f"{ranked} and cut into {R} levels of equal size."


def _bold(comparison: Comparison, what: str) -> str:
    """The sentence on bold figures; empty for a single subject."""
    return f" Bold: {what}." if len(comparison.subjects) > 1 else ""
