SUMMARY = "Firmware of a live-streaming encoder box"
DESCRIPTION = "Takes a camera and a microphone, encodes with GStreamer and publishes by RTMPS, with one \
button, two lights and a serial console as its only controls."
SECTION = "multimedia"

# The program's own licence, and those of the crates that are linked into it.
LICENSE = "(MIT | Apache-2.0) & BSD-3-Clause & CDLA-Permissive-2.0 & IJG & ISC & MPL-2.0"
LIC_FILES_CHKSUM = " \
    file://LICENSE-MIT;md5=5b742ffc11b9634b000f997a1ac13f4b \
    file://LICENSE-APACHE;md5=22a53954e4e0ec258dfce4391e905dac \
"

# By default the checkout that this layer lies in is built: these files of it, and no others.
FIRSTMILE_ROOT := "${@os.path.normpath(d.getVar('THISDIR') + '/../../..')}"
FILESEXTRAPATHS:prepend := "${FIRSTMILE_ROOT}:"
FIRSTMILE_CHECKOUT = " \
    file://Cargo.lock;subdir=${BP} \
    file://Cargo.toml;subdir=${BP} \
    file://LICENSE-APACHE;subdir=${BP} \
    file://LICENSE-MIT;subdir=${BP} \
    file://benches;subdir=${BP} \
    file://board;subdir=${BP} \
    file://build.rs;subdir=${BP} \
    file://src;subdir=${BP} \
    file://systemd;subdir=${BP} \
"

# A released source archive instead: its address, and what sha256sum says of it. Its top folder is ${BP}.
FIRSTMILE_ARCHIVE ??= ""
FIRSTMILE_ARCHIVE_SHA256 ??= ""

SRC_URI = "${@d.getVar('FIRSTMILE_ARCHIVE') + ';name=archive' if d.getVar('FIRSTMILE_ARCHIVE') else d.getVar('FIRSTMILE_CHECKOUT')}"
SRC_URI[archive.sha256sum] = "${FIRSTMILE_ARCHIVE_SHA256}"

python () {
    if not d.getVar('FIRSTMILE_ARCHIVE') and not os.path.exists(d.expand('${FIRSTMILE_ROOT}/Cargo.lock')):
        raise bb.parse.SkipRecipe('the layer does not lie in a checkout of firstmile: name FIRSTMILE_ARCHIVE')
}

# Made from Cargo.lock by `make yocto-crates`.
require firstmile-crates.inc

DEPENDS = "glib-2.0 gstreamer1.0 gstreamer1.0-plugins-base"

inherit cargo features_check pkgconfig systemd useradd

REQUIRED_DISTRO_FEATURES = "alsa systemd"

# Without the demo: a box needs neither a simulated board nor a server.
CARGO_BUILD_FLAGS:append = " --no-default-features"

# Debug information goes into the program, where do_package finds it and moves it to the -dbg package.
export CARGO_PROFILE_RELEASE_SPLIT_DEBUGINFO = "off"
export CARGO_PROFILE_RELEASE_STRIP = "none"

# Encoders. Each needs licence flags: lib/firstmile/encoders.py says which.
PACKAGECONFIG ??= "${FIRSTMILE_ENCODERS}"
PACKAGECONFIG[x264] = ",,,gstreamer1.0-plugins-ugly-x264"
PACKAGECONFIG[openh264] = ",,,gstreamer1.0-plugins-bad-openh264"
PACKAGECONFIG[libav] = ",,,gstreamer1.0-libav"
PACKAGECONFIG[voaacenc] = ",,,gstreamer1.0-plugins-bad-voaacenc"
PACKAGECONFIG[fdkaac] = ",,,gstreamer1.0-plugins-bad-fdkaac"

do_install() {
    install -D -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/firstmile ${D}${bindir}/firstmile

    install -d ${D}${systemd_system_unitdir}
    for unit in firstmile.service firstmile-country.path firstmile-country.service firstmile-import@.service firstmile-reboot.path firstmile-reboot.service system-firstmileimport.slice; do
        install -m 0644 ${S}/systemd/$unit ${D}${systemd_system_unitdir}/
    done
    install -D -m 0644 ${S}/systemd/70-firstmile.rules ${D}${nonarch_libdir}/udev/rules.d/70-firstmile.rules
    install -D -m 0644 ${S}/systemd/sysusers.conf ${D}${nonarch_libdir}/sysusers.d/firstmile.conf
    install -D -m 0644 ${S}/systemd/polkit.rules ${D}${datadir}/polkit-1/rules.d/50-firstmile.rules
    install -D -m 0644 ${S}/systemd/dbus.conf ${D}${datadir}/dbus-1/system.d/firstmile.conf
    install -D -m 0644 ${S}/systemd/tmpfiles.conf ${D}${nonarch_libdir}/tmpfiles.d/firstmile.conf
    install -D -m 0644 ${S}/systemd/sysctl.conf ${D}${nonarch_libdir}/sysctl.d/50-firstmile.conf

    # The profiles are also in the program; these are for whoever writes one.
    install -d ${D}${datadir}/firstmile/boards
    install -m 0644 ${S}/board/*.toml ${S}/board/README.md ${D}${datadir}/firstmile/boards/

    # For a whole box: the log stays in memory, and the board's watchdog is used.
    install -D -m 0644 ${S}/systemd/options/journald.conf ${D}${systemd_unitdir}/journald.conf.d/50-firstmile.conf
    install -D -m 0644 ${S}/systemd/options/watchdog.conf ${D}${systemd_unitdir}/system.conf.d/50-firstmile.conf

    # Devices of vendors' kernels, one package for each family of boards, and a display, which any of them may have.
    for board in display emulated jetson rockchip; do
        install -D -m 0644 ${S}/systemd/boards/$board.conf ${D}${systemd_system_unitdir}/firstmile.service.d/$board.conf
    done
}

PACKAGE_BEFORE_PN = "${PN}-appliance ${PN}-board-display ${PN}-board-emulated ${PN}-board-jetson ${PN}-board-rockchip"

SUMMARY:${PN}-appliance = "Log in memory and hardware watchdog, for a box that is nothing but firstmile"
FILES:${PN}-appliance = " \
    ${systemd_unitdir}/journald.conf.d/50-firstmile.conf \
    ${systemd_unitdir}/system.conf.d/50-firstmile.conf \
"
FILES:${PN}-board-display = "${systemd_system_unitdir}/firstmile.service.d/display.conf"
FILES:${PN}-board-emulated = "${systemd_system_unitdir}/firstmile.service.d/emulated.conf"
FILES:${PN}-board-jetson = "${systemd_system_unitdir}/firstmile.service.d/jetson.conf"
FILES:${PN}-board-rockchip = "${systemd_system_unitdir}/firstmile.service.d/rockchip.conf"
RDEPENDS:${PN}-board-display = "${PN}"
RRECOMMENDS:${PN}-board-display = "kernel-module-i2c-dev"
RDEPENDS:${PN}-board-emulated = "${PN}"
RDEPENDS:${PN}-board-jetson = "${PN}"
RDEPENDS:${PN}-board-rockchip = "${PN}"

FILES:${PN} += " \
    ${datadir}/firstmile/boards \
    ${nonarch_libdir}/sysusers.d/firstmile.conf \
    ${nonarch_libdir}/tmpfiles.d/firstmile.conf \
    ${nonarch_libdir}/sysctl.d/50-firstmile.conf \
    ${datadir}/polkit-1/rules.d/50-firstmile.rules \
    ${datadir}/dbus-1/system.d/firstmile.conf \
    ${nonarch_libdir}/udev/rules.d/70-firstmile.rules \
    ${systemd_system_unitdir}/firstmile-country.service \
    ${systemd_system_unitdir}/firstmile-import@.service \
    ${systemd_system_unitdir}/firstmile-reboot.service \
    ${systemd_system_unitdir}/system-firstmileimport.slice \
"

SYSTEMD_SERVICE:${PN} = "firstmile.service firstmile-country.path firstmile-reboot.path"

# The same user and groups as in systemd/sysusers.conf: a read-only root needs them when it is made.
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system gpio; --system i2c; --system render"
USERADD_PARAM:${PN} = "--system --user-group --no-create-home --home-dir ${localstatedir}/lib/firstmile \
    --shell ${base_sbindir}/nologin --groups video,render,audio,gpio,input,dialout firstmile"

# The elements that pipelines are made of, by plugin; and what keeps a stick from being written to.
RDEPENDS:${PN} = " \
    ca-certificates \
    gstreamer1.0 \
    gstreamer1.0-plugins-bad-jpegformat \
    gstreamer1.0-plugins-bad-videoparsersbad \
    gstreamer1.0-plugins-base-alsa \
    gstreamer1.0-plugins-base-app \
    gstreamer1.0-plugins-base-audioconvert \
    gstreamer1.0-plugins-base-audioresample \
    gstreamer1.0-plugins-base-playback \
    gstreamer1.0-plugins-base-typefindfunctions \
    gstreamer1.0-plugins-base-videoconvertscale \
    gstreamer1.0-plugins-good-audioparsers \
    gstreamer1.0-plugins-good-jpeg \
    gstreamer1.0-plugins-good-video4linux2 \
    util-linux-blockdev \
"

# They set up HDMI inputs and sound cards.
RRECOMMENDS:${PN} = "alsa-utils-amixer v4l-utils"
