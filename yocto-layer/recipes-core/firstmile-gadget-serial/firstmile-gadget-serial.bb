SUMMARY = "The console of an encoder box on its USB device port"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = " \
    file://modprobe.conf \
    file://modules-load.conf \
"

S = "${UNPACKDIR}"

# Recommends kernel modules, so it cannot be the same for all machines.
PACKAGE_ARCH = "${MACHINE_ARCH}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0644 ${UNPACKDIR}/modprobe.conf ${D}${nonarch_libdir}/modprobe.d/firstmile-gadget-serial.conf
    install -D -m 0644 ${UNPACKDIR}/modules-load.conf ${D}${nonarch_libdir}/modules-load.d/firstmile-gadget-serial.conf
}

FILES:${PN} = " \
    ${nonarch_libdir}/modprobe.d/firstmile-gadget-serial.conf \
    ${nonarch_libdir}/modules-load.d/firstmile-gadget-serial.conf \
"

RRECOMMENDS:${PN} = "kernel-module-g-serial"
