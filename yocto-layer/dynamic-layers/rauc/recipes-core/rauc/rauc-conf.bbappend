# Boards that have a system.conf here get it; the others keep what meta-rauc and your layers give them.
# The certificate that bundles are checked against, ca.cert.pem, comes from the folder with your keys.
FIRSTMILE_RAUC_KEYS ??= ""
FILESEXTRAPATHS:prepend := "${THISDIR}/files:"
FILESEXTRAPATHS:prepend := "${@d.getVar('FIRSTMILE_RAUC_KEYS') + ':' if d.getVar('FIRSTMILE_RAUC_KEYS') else ''}"
