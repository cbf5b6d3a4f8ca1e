"""What the page says of several subjects over their runs: pictures and tables, with their words."""

from collections.abc import Mapping
from typing import Any

from arcal.report import comparison_tables as tables
from arcal.report import grids
from arcal.report.comparison import BOXED, Comparison
from arcal.report.comparison_types import ComparisonSection
from arcal.report.names import corruption_title
from arcal.report.reliability_pictures import FEW
from arcal.report.section import Words, picture_of, section_of
from arcal.transforms.corruptions import EXTRA


def sections(
    comparison: Comparison, drawn: Mapping[str, str], attacked: Mapping[str, Any] | None
) -> list[ComparisonSection]:
    """All sections in the order of the page. `drawn` are SVG texts by name."""
    words = Words(comparison)
    made = [
        _methods(comparison),
        _reference(words, drawn),
        _changes(words, drawn),
        _under_shift(words, drawn),
        *_from_run_to_run(words, drawn),
        _ensembles(words, drawn),
        _reliability(words, drawn),
        *_out_of_distribution(words, drawn),
        _soft_labels(comparison, drawn),
        _attacked(comparison, drawn, attacked),
        _levels(words, drawn),
    ]
    return [section for section in made if section is not None]


def _methods(comparison: Comparison) -> ComparisonSection:
    listed = [tables.measures(comparison)]
    if len(comparison.subjects) > 1:
        listed.append(tables.winners(comparison))
    listed.append(tables.by_seed(comparison))
    return section_of("methods", "The methods compared", tables=listed)


def _reference(words: Words, drawn: Mapping[str, str]) -> ComparisonSection:
    reference = words.comparison.reference
    ece = "Bottom: ECE; lower is better."
    variance = "There is no variance: it needs at least two runs."
    if reference.levels.variance is not None:
        ece = (
            "Bottom: ECE and the variance of the predicted probabilities over the "
            f"{len(reference.seeds)} runs (summed over classes); lower is better."
        )
        variance = "For the variance the images have one ranking for all runs, by their mean rank."
    picture = picture_of(
        drawn,
        "figure-1",
        "Accuracy, confidence, ECE and variance by robustness level",
        f"{reference.name.title} on the clean test set, level by level",
        " (the paper's Figure 1). Top: accuracy and confidence; the space between them is orange "
        f"where the model is over-confident and blue where it is under-confident. {ece} "
        f"{words.ranking} {variance} {words.spread}",
        width="narrow",
    )
    return section_of("by-level", "Calibration by robustness level", [picture])


def _changes(words: Words, drawn: Mapping[str, str]) -> ComparisonSection:
    others = "the other methods" if words.comparison.others else "the method"
    picture = picture_of(
        drawn,
        "figure-2",
        "Accuracy, confidence, ECE and variance by robustness level for all methods",
        f"Accuracy and confidence of {others}, ECE and variance of all",
        f" (the paper's Figure 2), on the clean test set. {words.ranking} Level r therefore holds "
        "other images for each method and run. For the variance each method has one ranking, the "
        f"mean rank over its runs. {words.spread}",
    )
    return section_of(
        "changes", "What the methods change", [picture], [tables.gaps(words.comparison)]
    )


def _under_shift(words: Words, drawn: Mapping[str, str]) -> ComparisonSection | None:
    comparison = words.comparison
    grid = grids.under_shift(comparison)
    if grid is None:
        return None
    several = bool(comparison.several)
    pictures = []
    if "shift" in drawn:
        sides = (
            " At the left a type's value is the mean over a method's runs, at the right it is that "
            "of their averaged probabilities."
            if several
            else ""
        )
        pictures.append(
            picture_of(
                drawn,
                "shift",
                "Box plots of accuracy and ECE by intensity of the shift for each method",
                "Accuracy and ECE over types of corruption, by intensity",
                " (the paper's Figure 6). A box spans the 25th to the 75th percentile of the "
                "types, the line in it is the median, and the whiskers end at the least and the "
                f"largest type, not at 1.5 times the box.{sides} Only intensities at which {BOXED} "
                "types or more were evaluated are drawn. The marker is the clean test set.",
            )
        )
    types = list(comparison.subjects[0].means["ece"].by_type)
    extra = [type for type in types if type in EXTRA]
    note = (
        f"Corrupted test sets: {', '.join(map(corruption_title, types))}. A column is the mean "
        "over types of each set's figure, not the figure of their pool;"
    )
    note += " “a ± b” is its mean and deviation over runs." if several else ""
    if any(title == "Mean" for title, _ in grid.head):
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
        note += f"{words.ensemble[:-1]}; there is one, so it has no deviation."
    note = note.replace("pool; The", "pool. The").removesuffix(";")
    note = f"{note}{words.bold('the best mean of a column')}"
    return section_of(
        "under-shift", "Under shift", pictures, [tables.from_grid(comparison, grid, note)]
    )


def _from_run_to_run(words: Words, drawn: Mapping[str, str]) -> list[ComparisonSection]:
    comparison = words.comparison
    grid = grids.stability(comparison)
    if grid is None:
        return []
    pictures = []
    if "variance" in drawn:
        pictures.append(
            picture_of(
                drawn,
                "variance",
                "Box plots of the variance over runs by intensity of the shift for each method",
                "Variance over the runs, by intensity of the shift",
                " (the paper's Figure 3): of all classes, a value a type of corruption. A box "
                "spans the 25th to the 75th percentile of the types, the line in it is the median, "
                "and the whiskers end at the least and the largest type. The marker is the clean "
                "test set.",
                width="narrow",
            )
        )
    shifted = grids.under_shift(comparison) is not None
    table_5 = ", Table 5" if shifted else ""
    note = (
        "Of the methods with two runs or more: how much their predictions differ, the mean over "
        f"images (section 5.4{table_5}). The paper does not say which probability its variance is "
        "of, so there are three readings, all unbiased over the runs: of the probabilities of all "
        "classes, summed; of the class that the runs' mean predicts; of each run's own confidence, "
        "which does not see runs that disagree. Churn is the share of images on which two runs "
        "predict different classes, the mean over all pairs. Levels are cut by the mean rank over "
        "a method's runs; level 1 is the least robust."
        f"{words.bold('the lowest of a column')}"
    )
    by_level = tables.from_grid(
        comparison,
        grids.stability_by_level(comparison),
        title="By robustness level, on the clean test set",
    )
    listed = [tables.from_grid(comparison, grid), by_level]
    return [section_of("stability", "From run to run", pictures, listed, note)]


def _ensembles(words: Words, drawn: Mapping[str, str]) -> ComparisonSection | None:
    grid = grids.ensembles(words.comparison)
    if grid is None:
        return None
    picture = picture_of(
        drawn,
        "ensembles",
        "Accuracy and confidence of single models and ensembles for each method",
        "Accuracy and mean confidence of the predicted class, alone and averaged",
        " (the paper's Figure 7), on the clean test set. Above: the mean over a method's runs, "
        "bars of error are one standard deviation. Below: the average of all runs' probabilities. "
        "Where runs disagree it is less sure, which calibrates over-confident models and makes "
        "calibrated ones under-confident. Orange is over-confident, blue under-confident.",
        width="narrow",
    )
    note = (
        "On the clean test set, of the methods with two runs or more."
        f"{words.bold('the best mean of a column')}"
    )
    table = tables.from_grid(words.comparison, grid, note)
    return section_of("ensembles", "Ensembles", [picture], [table])


def _reliability(words: Words, drawn: Mapping[str, str]) -> ComparisonSection:
    several = bool(words.comparison.several)
    figure_8 = " (the paper's Figure 8)" if several else ""
    runs = (
        " Of single runs the first is shown; points are the accuracies of its other runs. Runs are "
        "not pooled: they see the same images, so an interval of their pool would be too narrow. "
        "Beside it: the average of all runs' probabilities."
        if several
        else ""
    )
    picture = picture_of(
        drawn,
        "reliability",
        "Reliability diagrams and histograms of confidence for each method",
        "How often a prediction is right, by how sure it is",
        f"{figure_8}, on the clean test set. The "
        "black line on each of the 15 bins of confidence is its accuracy; the colour reaches from "
        "there to its mean confidence: orange is over-confident, blue under-confident. The "
        "vertical line is the bin's 95 % interval of accuracy (Clopper and Pearson). The dashed "
        "line is calibrated. Below: how many of the predictions fall in each bin."
        f"{runs} Bins with fewer than {FEW} images are pale.",
    )
    note = (
        "On the clean test set, means over the runs. The ECE has 15 bins of equal width, and, "
        "where it was computed, a 95 % interval over test images (basic bootstrap, each end the "
        "mean over runs). Equal mass: bins that hold as many images each. Class-wise: the "
        "probabilities of all classes, predicted or not, a mean over classes. Debiased: without "
        "part of the bias of few images; it can be below 0. Chance: the ECE to expect of a "
        "calibrated model with these confidences and as many images."
        f"{words.bold('the lowest of a column')}"
    )
    errors = grids.calibration_errors(words.comparison)
    table = tables.from_grid(words.comparison, errors, note, "More than one calibration error")
    return section_of("reliabilities", "Reliability", [picture], [table])


def _out_of_distribution(words: Words, drawn: Mapping[str, str]) -> list[ComparisonSection]:
    comparison = words.comparison
    others = comparison.subjects[0].ood
    note = (
        "AUROC: how often, in a random pair of a test image and an image of the other data, the "
        "test image has the higher confidence or the lower entropy; 0.5 is chance, 1 is perfect."
        f"{words.ensemble}{words.bold('the highest of a column')}"
    )
    made = []
    for i, other in enumerate(others):
        how = f", {other.how}" if other.how else ""
        means = " Shares of images are means over a method's runs." if comparison.several else ""
        picture = picture_of(
            drawn,
            f"entropy-{i + 1}",
            "Histograms of predictive entropy on the test set and on other data for each method",
            f"Predictive entropy on {other.name}",
            f", whose classes the models do not know (coloured line, {other.images} images{how}), "
            "and on their own test set (grey area); the paper's Figure 4. Entropy goes from 0, "
            "certain, to log Z nats, uniform: on other data it should be high."
            f"{means}",
        )
        title = "Out of distribution" + (f": {other.name}" if len(others) > 1 else "")
        table = tables.from_grid(comparison, grids.out_of_distribution(comparison, i), note)
        made.append(section_of(f"other-data-{i + 1}", title, [picture], [table]))
    return made


def _soft_labels(comparison: Comparison, drawn: Mapping[str, str]) -> ComparisonSection | None:
    if "soft-labels" not in drawn:
        return None
    one = sum(subject.soft_labels is not None for subject in comparison.subjects) == 1
    picture = picture_of(
        drawn,
        "soft-labels",
        "Soft labels of each level over the epochs",
        "The soft label of the correct class",
        ", 1 − ε + ε/Z (Eq. 2), of each level of the training set after each epoch; mean over "
        "runs. It starts at 1, the label as it is, and falls where the validation set shows "
        "over-confidence. Levels are those the method was trained with, cut by the vanilla models "
        "of its seeds, and anew by its own model where it says on the fly; a black line is a "
        "method with one label for all.",
        width="narrow" if one else "wide",
    )
    return section_of("labels", "How the labels adapt", [picture])


def _attacked(
    comparison: Comparison, drawn: Mapping[str, str], attacked: Mapping[str, Any] | None
) -> ComparisonSection | None:
    if attacked is None:
        return None
    images, failed = attacked["images"], attacked["failed"]
    least = picture_of(
        drawn,
        "least-robust",
        "The least robust images with their perturbations",
        title="From the least robust end",
    )
    most = picture_of(
        drawn,
        "most-robust",
        "The most robust images with their perturbations",
        "What it takes to change a prediction",
        f" of {attacked['model']}: the first and the last {attacked['shown']} of {images} images "
        "spread evenly over its ranking of the clean test set, with the smallest perturbations "
        "that the attack found. Under each image: its true class, the prediction (orange if "
        "wrong), the prediction on the perturbed image, and the L2 distance between the two, for "
        "pixels in 0 to 1. Perturbations are amplified by the factor at their left; in grey images "
        "orange is brighter and purple darker.",
        title="To the most robust end",
    )
    ranks = comparison.order == "attack"
    lead = (
        "Is the distance that ranks as small as it can be?"
        if ranks
        else "Is the order a good stand-in for an attack?"
    )
    caption = (
        f" {images} images spread evenly over the ranking: the distance in it, against that of the "
        "perturbations shown above. Below the line the latter is smaller."
        if ranks
        else f" {images} images spread evenly over the ranking by the {comparison.order} order, "
        "against the distance that the attack found."
    )
    caption += (
        f" The attack failed on {failed} of them: no distance is known, they are drawn as crosses "
        "above all others and rank as the most robust in ρ."
        if failed
        else " The attack succeeded on all of them."
    )
    alt = "Scatter of the order's estimate against the attack's distance"
    estimate = picture_of(drawn, "estimate", alt, lead, caption, width="half")
    title = "The least and the most robust images"
    return section_of("attacked", title, [least, most, estimate])


def _levels(words: Words, drawn: Mapping[str, str]) -> ComparisonSection:
    picture = picture_of(
        drawn,
        "levels",
        "Classes of each level and share of misclassified images in each level",
        "Levels have equal sizes, but not equal classes or errors.",
        " (a) Share of each true class in a level, mean over the runs of "
        f"{words.comparison.reference.name.title}. (b) Where the misclassified images of each "
        f"method lie: the shares of all levels sum to 100 %. {words.spread}",
    )
    return section_of("make-up", "What is in a level", [picture])
