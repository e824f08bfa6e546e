# With A/B updates, system.conf is the one for the board (files/MACHINE/), and ca.cert.pem, which bundles are
# checked against, comes from the folder with your keys.
FIRSTMILE_RAUC_KEYS ??= "${TOPDIR}/keys"
FILESEXTRAPATHS:prepend := "${@bb.utils.contains('FIRSTMILE_AB', '1', '${THISDIR}/files:${FIRSTMILE_RAUC_KEYS}:', '', d)}"
