# The console on the USB-C port, which these can use as a device.
RDEPENDS:${PN}:append:raspberrypi4-64 = " firstmile-gadget-serial"
RDEPENDS:${PN}:append:raspberrypi5 = " firstmile-gadget-serial"
