"""The settings that datasets of image files share: how an image comes to the size of a network's input."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edgerig import plugins
from edgerig.artifact import Fit, Preprocessing


class ImageSettings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of a dataset of images, beside its ``size``."""

    fit: Annotated[
        Fit,
        msgspec.Meta(
            description="how images of another aspect ratio come to that size: stretch, letterbox (padded), crop (its "
            "middle), or center (padded or cropped without resizing)"
        ),
    ] = "stretch"
    fill: Annotated[float, msgspec.Meta(description="raw value of pixels around a padded image, as YOLO's 114")] = 0.0
    standardize: Annotated[bool, msgspec.Meta(description="make each image's mean 0 and its standard deviation 1")] = (
        False
    )

    def preprocessing(self, size: int) -> Preprocessing:
        """Pixels from 0 to 1 in images of ``size`` by ``size``."""
        return Preprocessing(
            scale=1 / 255, resize=(size, size), fit=self.fit, fill=self.fill, standardize=self.standardize
        )
