# Each root file system carries its kernel, so that an update brings its own.
RDEPENDS:${PN} += "${@bb.utils.contains('FIRSTMILE_AB', '1', 'firstmile-rauc kernel-image', '', d)}"
