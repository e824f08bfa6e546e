# SPDX-License-Identifier: MIT OR Apache-2.0
"""What must hold of the root file system of a box that is sold."""

import glob
import os


def open_doors(rootfs):
    """Ways into the box, or things it lacks, each as a sentence; none for a good image."""
    return _accounts(rootfs) + _servers(rootfs) + _gettys(rootfs) + _time(rootfs)


def _accounts(rootfs):
    found = []
    for name, field in (("shadow", 1), ("passwd", 1)):
        path = os.path.join(rootfs, "etc", name)
        if not os.path.exists(path):
            continue
        with open(path) as lines:
            for line in lines:
                fields = line.rstrip("\n").split(":")
                password = fields[field] if len(fields) > field else ""
                if name == "passwd" and password == "x":
                    continue
                if not password.startswith(("*", "!")):
                    found.append("account %s in /etc/%s is not locked" % (fields[0], name))
    return found


def _servers(rootfs):
    names = ("usr/sbin/sshd", "usr/sbin/dropbear", "usr/sbin/dropbearmulti", "usr/sbin/telnetd")
    return ["%s lets people in over the network" % ("/" + n) for n in names
            if os.path.lexists(os.path.join(rootfs, n))]


def _gettys(rootfs):
    found = []
    units = os.path.join(rootfs, "usr/lib/systemd/system")
    for unit in sorted(glob.glob(units + "/*getty*.service") + glob.glob(units + "/debug-shell.service")):
        mask = os.path.join(rootfs, "etc/systemd/system", os.path.basename(unit))
        if not (os.path.islink(mask) and os.readlink(mask) == "/dev/null"):
            found.append("%s would take a serial port or a screen" % os.path.basename(unit))
    return found


def _time(rootfs):
    services = ("usr/lib/systemd/systemd-timesyncd", "usr/sbin/chronyd", "usr/sbin/ntpd")
    if any(os.path.exists(os.path.join(rootfs, s)) for s in services):
        return []
    return ["nothing sets the clock, so no certificate can be checked"]
