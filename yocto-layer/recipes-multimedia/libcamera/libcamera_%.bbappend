# Nothing changes unless the box has a camera module that only libcamera drives.
include ${@bb.utils.contains('FIRSTMILE_CAMERAS', 'libcamera', 'firstmile-libcamera.inc', '', d)}
