# Nothing changes unless the box is to encode with x264.
include ${@bb.utils.contains('FIRSTMILE_ENCODERS', 'x264', 'firstmile-plugins-ugly.inc', '', d)}
