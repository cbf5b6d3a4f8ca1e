"""A part whose images are brought to another size and number of channels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.data.part import Part, fingerprint_of
from arcal.errors import ArcalError

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
CHANNELS = {(1, 3): "grey repeated to 3 channels", (3, 1): "colour turned grey by luminance"}


class Resized:
    """A `Part` with the images of another, made (C, H, W) as they are read.

    It lets a model see an out-of-distribution set of another shape; ids, labels and classes stay
    the set's own. Sizes change bilinearly with antialiasing, to the full height and width whatever
    their ratio was; grey is repeated to 3 channels, and colour becomes grey by its luminance. All
    is rounded to uint8 once. `how` says in words what is done, for whoever prints a figure. Any
    size is taken, as `how` names it; channels other than 1 or 3 are refused if they must change.
    """

    def __init__(self, part: Part, shape: tuple[int, int, int]) -> None:
        if min(shape) < 1:
            raise ArcalError(
                f"{part.name} cannot be resized to {shape}: give (C, H, W) of 1 or more"
            )
        channels = (part.shape[0], shape[0])
        if channels not in CHANNELS and channels[0] != channels[1]:
            raise ArcalError(
                f"{part.name} has {channels[0]} channels, which cannot become {channels[1]}: "
                "only grey (1) and colour (3) turn into one another"
            )
        self.part, self.shape = part, shape
        self.name, self.classes = part.name, part.classes
        self.ids, self.labels = part.ids, part.labels

    @property
    def how(self) -> str:
        """Such as "resized from 28 x 28 to 32 x 32, grey repeated to 3 channels"."""
        (c, h, w), (C, H, W) = self.part.shape, self.shape
        size = f"resized from {h} x {w} to {H} x {W}" if (h, w) != (H, W) else ""
        return ", ".join(filter(None, (size, CHANNELS.get((c, C))))) or "as it is"

    def __len__(self) -> int:
        return len(self.part)

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, C, H, W)`: the images at these B positions."""
        images = self.part.images(positions)
        C, H, W = self.shape
        if images.shape[1] != C and C == 1:
            images = (images * torch.tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True)
        if images.shape[2:] != (H, W):
            images = F.interpolate(
                images.float().contiguous(), (H, W), mode="bilinear", antialias=True
            )
        if images.is_floating_point():
            images = images.round().clamp(0, 255).to(torch.uint8)
        return images.expand(-1, C, -1, -1).contiguous()

    def subset(self, ids: Tensor) -> "Resized":
        """The part with these ids only, in the order given. An unknown id raises."""
        return Resized(self.part.subset(ids), self.shape)

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the sha256 of the part's own fingerprint and what is done."""
        return fingerprint_of(self, [f"{self.part.fingerprint()} {self.how}".encode()])
