SUMMARY = "An encoder box for the bench: logs in as root on the serial port. Not for sale"
LICENSE = "MIT"

require firstmile-image.inc

# Nobody takes it for the other one.
FIRSTMILE_IMAGE_NAME = "firstmile-debug"
FIRSTMILE_IMAGE_ISSUE = "*** firstmile DEBUG image: root needs no password here. Not for sale. ***"

# Root is logged in on the kernel's console. Over the network it takes a key (FIRSTMILE_DEBUG_KEYS), never
# an empty password.
IMAGE_FEATURES += " \
    allow-root-login \
    empty-root-password \
    post-install-logging \
    serial-autologin-root \
    ssh-server-dropbear \
"
IMAGE_INSTALL += " \
    alsa-utils \
    gdbserver \
    gstreamer1.0-plugins-base-audiotestsrc \
    gstreamer1.0-plugins-base-videotestsrc \
    libgpiod-tools \
    strace \
    v4l-utils \
"

# A file of public keys that may log in as root over the network; none by default.
FIRSTMILE_DEBUG_KEYS ??= ""

firstmile_debug_keys() {
    if [ -n "${FIRSTMILE_DEBUG_KEYS}" ]; then
        install -d -m 0700 ${IMAGE_ROOTFS}${ROOT_HOME}/.ssh
        install -m 0600 ${FIRSTMILE_DEBUG_KEYS} ${IMAGE_ROOTFS}${ROOT_HOME}/.ssh/authorized_keys
    fi
}
ROOTFS_POSTPROCESS_COMMAND += "firstmile_debug_keys"
