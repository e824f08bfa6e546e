SUMMARY = "A/B updates of an encoder box: an update stays only if the box comes up with it"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = " \
    file://boot.mount \
    file://mark-good.conf \
"

S = "${UNPACKDIR}"

inherit features_check systemd

REQUIRED_DISTRO_FEATURES = "rauc systemd"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}/boot
    install -D -m 0644 ${UNPACKDIR}/boot.mount ${D}${systemd_system_unitdir}/boot.mount
    install -D -m 0644 ${UNPACKDIR}/mark-good.conf ${D}${systemd_system_unitdir}/rauc-mark-good.service.d/firstmile.conf
}

FILES:${PN} = " \
    /boot \
    ${systemd_system_unitdir}/boot.mount \
    ${systemd_system_unitdir}/rauc-mark-good.service.d/firstmile.conf \
"

SYSTEMD_SERVICE:${PN} = "boot.mount"

RDEPENDS:${PN} = "firstmile-data libubootenv-bin rauc"
