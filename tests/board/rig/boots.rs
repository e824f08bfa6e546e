//! Boards that boot by themselves, as those in the field do.

use std::time::Duration;

use super::Board;
use super::ready::BOOT_TIMEOUT;

impl Board {
    /// From the next boot on the data partition is mounted and the box started without a hand.
    pub fn boots_by_itself(&mut self) {
        self.sh("sed -i s/noauto,/nofail,/ /etc/fstab; systemctl is-enabled firstmile; sync");
    }

    /// Puts the appliance's watchdog in place: the machine is reset when systemd stops feeding it.
    pub fn arm_watchdog(&mut self) {
        self.sh("mkdir -p /etc/systemd/system.conf.d; \
                 cp /usr/share/firstmile/systemd/options/watchdog.conf /etc/systemd/system.conf.d/firstmile.conf; \
                 systemctl daemon-reexec; \
                 until [ \"$(cat /sys/class/watchdog/watchdog0/state)\" = active ]; do sleep 1; done; \
                 [ \"$(cat /sys/class/watchdog/watchdog0/timeout)\" -ge 10 ]; sync");
    }

    /// Which boot this is.
    pub fn boot(&mut self) -> String {
        self.sh("cat /proc/sys/kernel/random/boot_id")
    }

    /// Waits for the shell of the boot that follows this one.
    #[track_caller]
    pub fn until_booted_after(&mut self, boot: &str) {
        let up = self.agent.wait_ready(BOOT_TIMEOUT);
        up.unwrap_or_else(|why| panic!("{why}\n{}", self.qemu().kernel_log()));
        assert_ne!(self.boot(), boot, "the machine has not booted again");
    }

    /// How long after its start the kernel of this boot had the box live.
    #[track_caller]
    pub fn live_since_boot(&mut self) -> Duration {
        self.live_after(Duration::ZERO)
    }
}
