# The hardware encoder needs the vendor's kernel, library and plugin, which only some layers of this name
# have; FIRSTMILE_ROCKCHIP_MPP = "1" says that yours has gstreamer1.0-rockchip and rockchip-mpp.
FIRSTMILE_ROCKCHIP_MPP ??= "0"
RDEPENDS:${PN} += "${@'firstmile-board-rockchip gstreamer1.0-rockchip rockchip-mpp' if d.getVar('FIRSTMILE_ROCKCHIP_MPP') == '1' else ''}"
