SUMMARY = "Signed update of an encoder box"
LICENSE = "MIT"

inherit bundle

COMPATIBLE_MACHINE = "raspberrypi4-64"

# The same word as in system.conf: a bundle for another board is refused.
RAUC_BUNDLE_COMPATIBLE = "firstmile-${MACHINE}"
RAUC_BUNDLE_DESCRIPTION = "firstmile for ${MACHINE}"
RAUC_BUNDLE_FORMAT = "verity"

RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "firstmile-image"
RAUC_SLOT_rootfs[fstype] = "ext4"

# The folder with your keys, outside of every layer (README, "Updates").
FIRSTMILE_RAUC_KEYS ??= "${TOPDIR}/keys"
RAUC_KEY_FILE ?= "${FIRSTMILE_RAUC_KEYS}/signing.key.pem"
RAUC_CERT_FILE ?= "${FIRSTMILE_RAUC_KEYS}/signing.cert.pem"
