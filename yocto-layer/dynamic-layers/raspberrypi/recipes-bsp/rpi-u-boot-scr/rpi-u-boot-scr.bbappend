# Two roots need a script that chooses between them; without `rauc` nothing changes.
FILESEXTRAPATHS:prepend := "${@bb.utils.contains('DISTRO_FEATURES', 'rauc', '${THISDIR}/files:', '', d)}"
