# Two roots need a script that chooses between them.
FILESEXTRAPATHS:prepend := "${@bb.utils.contains('FIRSTMILE_AB', '1', '${THISDIR}/files:', '', d)}"
