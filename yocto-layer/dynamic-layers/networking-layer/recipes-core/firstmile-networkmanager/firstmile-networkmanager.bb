SUMMARY = "NetworkManager that keeps its connections on the data partition"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "file://firstmile.conf"

S = "${UNPACKDIR}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0644 ${UNPACKDIR}/firstmile.conf ${D}${nonarch_libdir}/NetworkManager/conf.d/50-firstmile.conf
}

FILES:${PN} = "${nonarch_libdir}/NetworkManager/conf.d/50-firstmile.conf"

# Not the package `networkmanager`: that also wants Bluetooth and PPP.
RDEPENDS:${PN} = " \
    firstmile-data \
    iw \
    networkmanager-daemon \
    networkmanager-nmcli \
    networkmanager-wifi \
    wireless-regdb-static \
"
