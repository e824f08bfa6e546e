# Nothing changes unless the box is to encode with one of these.
include ${@bb.utils.contains_any('FIRSTMILE_ENCODERS', 'openh264 voaacenc fdkaac', 'firstmile-plugins-bad.inc', '', d)}
