"""A part whose images are changed to another size and number of channels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.data.part import Part, fingerprint_of
from arcal.errors import ArcalError

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
CHANNELS = {(1, 3): "grey repeated to 3 channels", (3, 1): "colour turned grey by luminance"}


class Resized:
    """A `Part` with the images of another part, changed to `shape` (C, H, W) when they are read.

    With it a model can be evaluated on an out-of-distribution set of another shape. Ids, labels and
    classes are those of the other part. Images are resized bilinearly with antialiasing, without
    preserving their aspect ratio; grey images are repeated to 3 channels, and colour images become
    grey by their luminance; the result is rounded to uint8. `how` describes the change. A size
    below 1, or channels other than 1 and 3 that would have to change, raise `ArcalError`.

    >>> from arcal.data import InMemory
    >>> ids, pixels = torch.arange(2), torch.full((2, 1, 28, 28), 7, dtype=torch.uint8)
    >>> part = Resized(InMemory("toy/test", ids, ids, ("cat", "dog"), pixels), (3, 32, 32))
    >>> part.images(torch.tensor([0])).shape
    torch.Size([1, 3, 32, 32])
    >>> part.how
    'resized from 28 x 28 to 32 x 32, grey repeated to 3 channels'
    """

    def __init__(self, part: Part, shape: tuple[int, int, int]) -> None:
        if min(shape) < 1:
            raise ArcalError(
                f"{part.name} cannot be resized to {shape}: give (C, H, W), each at least 1"
            )
        channels = (part.shape[0], shape[0])
        if channels not in CHANNELS and channels[0] != channels[1]:
            raise ArcalError(
                f"{part.name} has {channels[0]} channels, which cannot become {channels[1]}: "
                "only grey (1) and colour (3) can be converted"
            )
        self.part, self.shape = part, shape
        self.name, self.classes = part.name, part.classes
        self.ids, self.labels = part.ids, part.labels

    @property
    def how(self) -> str:
        """What is done to an image, such as "resized from 28 x 28 to 32 x 32"."""
        (c, h, w), (C, H, W) = self.part.shape, self.shape
        size = f"resized from {h} x {w} to {H} x {W}" if (h, w) != (H, W) else ""
        return ", ".join(filter(None, (size, CHANNELS.get((c, C))))) or "as it is"

    def __len__(self) -> int:
        return len(self.part)

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, C, H, W)`."""
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
        """The part with only these ids, in their order; an unknown id raises `ArcalError`."""
        return Resized(self.part.subset(ids), self.shape)

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the original fingerprint and of `how`."""
        return fingerprint_of(self, [f"{self.part.fingerprint()} {self.how}".encode()])
