# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the recipes of this layer decide in Python; layer.conf adds it as `firstmile`."""

BBIMPORTS = ["encoders", "image"]
