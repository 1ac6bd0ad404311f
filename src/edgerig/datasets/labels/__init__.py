"""Labels of images: boxes, outlines and masks in memory, and the formats in which annotation tools keep them."""
