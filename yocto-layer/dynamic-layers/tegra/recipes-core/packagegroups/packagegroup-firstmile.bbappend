# NVIDIA's encoder, its converter, its camera source, and the devices that they open.
RDEPENDS:${PN}:append:tegra = " \
    firstmile-board-jetson \
    gstreamer1.0-plugins-nvarguscamerasrc \
    gstreamer1.0-plugins-nvvidconv \
    gstreamer1.0-plugins-nvvideo4linux2 \
"
