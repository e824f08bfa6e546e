SUMMARY = "Data partition of an encoder box: settings, stream keys, last known time"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = " \
    file://data.mount \
    file://var-lib-firstmile.mount \
    file://var-lib-systemd-timesync.mount \
"

S = "${UNPACKDIR}"

inherit allarch features_check systemd

REQUIRED_DISTRO_FEATURES = "systemd"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}/data ${D}${systemd_system_unitdir}
    for unit in data.mount var-lib-firstmile.mount var-lib-systemd-timesync.mount; do
        install -m 0644 ${UNPACKDIR}/$unit ${D}${systemd_system_unitdir}/
    done
}

FILES:${PN} += "/data"

SYSTEMD_SERVICE:${PN} = "data.mount var-lib-firstmile.mount var-lib-systemd-timesync.mount"
