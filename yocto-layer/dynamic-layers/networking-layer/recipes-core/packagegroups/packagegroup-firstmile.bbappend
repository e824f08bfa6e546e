# Wi-Fi and static addresses are set by stick or console through NetworkManager.
RDEPENDS:${PN} += "firstmile-networkmanager"
