"""Augmentation and corruption of batches of images `(B, C, H, W)`."""

from arcal.transforms.augment import AUGMENTATIONS, crop_flip, resized_crop_flip, shift_flip
from arcal.transforms.corruptions import CORRUPTIONS, corrupt

__all__ = [
    "AUGMENTATIONS",
    "CORRUPTIONS",
    "corrupt",
    "crop_flip",
    "resized_crop_flip",
    "shift_flip",
]
