SUMMARY = "An encoder box: read-only, and without logins"
LICENSE = "MIT"

require firstmile-image.inc

# Serial ports and screens belong to the box: nobody logs in on them.
firstmile_mask_gettys() {
    install -d ${IMAGE_ROOTFS}${sysconfdir}/systemd/system
    for unit in ${IMAGE_ROOTFS}${systemd_system_unitdir}/*getty*.service \
                ${IMAGE_ROOTFS}${systemd_system_unitdir}/debug-shell.service; do
        if [ -e $unit ]; then
            ln -sf /dev/null ${IMAGE_ROOTFS}${sysconfdir}/systemd/system/$(basename $unit)
        fi
    done
}
ROOTFS_POSTPROCESS_COMMAND += "firstmile_mask_gettys"

# Whatever was added to the image, a box with an open door is not built.
python firstmile_check_doors() {
    found = firstmile.image.open_doors(d.getVar('IMAGE_ROOTFS'))
    if found:
        bb.fatal('%s is not a box that can be sold:\n%s' % (d.getVar('PN'), '\n'.join(found)))
}
IMAGE_QA_COMMANDS += "firstmile_check_doors"
