"""The section of one variant, put together by `section`, and its parts, one file each."""
