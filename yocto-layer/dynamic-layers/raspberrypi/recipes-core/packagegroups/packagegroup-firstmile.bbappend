# Every Pi but the 3 has a USB port that can be a device: the console is there.
RDEPENDS:${PN}:append:rpi = " firstmile-gadget-serial"
RDEPENDS:${PN}:remove:raspberrypi3 = "firstmile-gadget-serial"
RDEPENDS:${PN}:remove:raspberrypi3-64 = "firstmile-gadget-serial"
