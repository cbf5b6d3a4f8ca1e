"""The files on disk: run folders, score files and calibrators.

Every file is written under a temporary name and then renamed, so that it is complete or absent.
Nothing is ever unpickled: tensors are stored as safetensors, tables as Parquet, the rest as JSON.

    config.json              everything needed to repeat the run; its hash is in the folder's name
    metrics.jsonl            one line per epoch
    files.json               digests of the files of the images, for a folder of images
    checkpoint.safetensors   the state after the last epoch, for resuming and for evaluation
    rescoring/PART/          the scores of blocks of images, while training ranks them again
    predictions/SET.safetensors   logits (M, N, Z), ids (N,) and labels (N,)
    figures/SET.json         figures of one method's runs on a set, in the folder of the first, and
                             what they follow from; SET+NAME are those after calibration
    scores/PART-NAME.parquet      id, robustness, success, predicted, label, passes; NAME is the
                                  order, or for the order `attack` the name of the attack
    scores/PART-NAME.shards/      the same for blocks of ids, until all blocks are scored

_tensors       named tensors in one file, with a digest of what they hold
_calibrators   calibrators and streams
_run_folder    the folder of a run
_scores        the robustness of a part
"""

from arcal.store._calibrators import (
    CALIBRATOR_FORMAT,
    load_calibrator,
    load_stream,
    save_calibrator,
    save_stream,
)
from arcal.store._run_folder import PLACES, RunFolder, content_hash, is_run_folder
from arcal.store._scores import SHARDS, load_scores, merge_scores, save_scores, score_facts
from arcal.store._tensors import (
    digest_of,
    load_digest,
    load_header,
    load_tensors,
    save_tensors,
)

__all__ = [
    "CALIBRATOR_FORMAT",
    "PLACES",
    "SHARDS",
    "RunFolder",
    "content_hash",
    "digest_of",
    "is_run_folder",
    "load_calibrator",
    "load_digest",
    "load_header",
    "load_scores",
    "load_stream",
    "load_tensors",
    "merge_scores",
    "save_calibrator",
    "save_scores",
    "save_stream",
    "save_tensors",
    "score_facts",
]
