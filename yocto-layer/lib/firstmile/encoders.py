# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which software encoders an image gets: those whose licences its builder has accepted."""

# PACKAGECONFIG of firstmile: what it encodes, and the recipes it needs that have
# LICENSE_FLAGS = "commercial".
ENCODERS = {
    "x264": ("H.264", ["gstreamer1.0-plugins-ugly", "x264"]),
    "openh264": ("H.264", ["openh264"]),
    "libav": ("AAC", ["gstreamer1.0-libav", "ffmpeg"]),
    "voaacenc": ("AAC", ["vo-aacenc"]),
    "fdkaac": ("AAC", ["fdk-aac"]),
}


def flags(encoder):
    """The entries of LICENSE_FLAGS_ACCEPTED that let this encoder in, and no other recipe."""
    return ["commercial_" + recipe for recipe in ENCODERS[encoder][1]]


def accepted(d):
    """The encoders whose every licence flag is accepted, by name or by the whole of `commercial`."""
    entries = (d.getVar("LICENSE_FLAGS_ACCEPTED") or "").split()
    if "commercial" in entries:
        return " ".join(ENCODERS)
    return " ".join(e for e in ENCODERS if all(flag in entries for flag in flags(e)))


def missing(d):
    """What the image could not encode, as (codec, flags that would let an encoder in)."""
    chosen = (d.getVar("FIRSTMILE_ENCODERS") or "").split()
    codecs = [ENCODERS[e][0] for e in chosen if e in ENCODERS]
    if (d.getVar("FIRSTMILE_HARDWARE_ENCODERS") or "").strip():
        codecs.append("H.264")
    wanted = {"H.264": "x264", "AAC": "libav"}
    return [(codec, flags(encoder)) for codec, encoder in wanted.items() if codec not in codecs]
