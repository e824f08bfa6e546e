SUMMARY = "What an encoder box consists of beside the base system"

# Boards add to it in dynamic-layers/, so it differs from machine to machine.
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = " \
    firstmile \
    firstmile-appliance \
    firstmile-data \
    ${@bb.utils.contains('FIRSTMILE_CAMERAS', 'libcamera', 'libcamera-gst', '', d)} \
"

# Cameras, sound cards, sticks and serial adapters that an owner may plug in; and what the kernel knows of a connection.
RRECOMMENDS:${PN} = " \
    kernel-module-cdc-acm \
    kernel-module-ch341 \
    kernel-module-cp210x \
    kernel-module-exfat \
    kernel-module-ftdi-sio \
    kernel-module-nls-cp437 \
    kernel-module-nls-iso8859-1 \
    kernel-module-nls-utf8 \
    kernel-module-snd-usb-audio \
    kernel-module-tcp-diag \
    kernel-module-usb-storage \
    kernel-module-uvcvideo \
    kernel-module-vfat \
    ${MACHINE_EXTRA_RRECOMMENDS} \
"
RDEPENDS:${PN}:append:qemuarm64 = " firstmile-board-emulated"
