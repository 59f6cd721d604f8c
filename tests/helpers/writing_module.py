"""TorchScript that writes a file when it is read."""

# Annotations have to be types when torch reads them.
import torch
from torch import Tensor, nn


class WritingModule(nn.Module):
    """Module whose code runs when it is read.

    Args:
        path (str): file that the code writes.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        """Return what is saved."""
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        """Write the file."""
        self.path = state[0]
        self.training = state[1]
        # torch leaves out what nothing comes of.
        print(torch.from_file(self.path, True, 4).fill_(1.0))

    def forward(self, value: Tensor) -> Tensor:
        """Return a tensor as it is."""
        return value
