//! The front panel: the button is pressed, the lights are read.

use std::thread;
use std::time::{Duration, Instant};

use firstmile::panel::{Attention, Indication};

use super::{Board, PATIENCE, lights};

/// The lines of the panel, as the kernel shows them.
pub const PANEL: &str = "/sys/devices/platform/gpio-sim.*/gpiochip*";
/// How often the button is pressed until the box is live.
const PRESSES: u32 = 3;

impl Board {
    /// Waits until the lights show this.
    #[track_caller]
    pub fn until_lights(&mut self, indication: Indication) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let looks = self.look(Duration::from_secs(10)); // two rounds of the longest rhythm
            if lights::show(&looks, indication) {
                return;
            }
            // An emulated machine may be short of everything, and warns of it.
            let also = match indication {
                Indication::Live { attention: Attention::None } => {
                    Indication::Live { attention: Attention::Warning }
                }
                Indication::Ready => Indication::ReadyWarning,
                other => other,
            };
            if lights::show(&looks, also) {
                return;
            }
            assert!(Instant::now() < deadline, "never {}: {looks:?}", indication.name());
        }
    }

    /// Looks at the lights for a while, some 15 times a second.
    pub fn look(&mut self, long: Duration) -> Vec<lights::Look> {
        let end_s = long.as_secs();
        lights::parse(&self.sh(&format!(
            "P=$(echo {PANEL}); read now x </proc/uptime; end=$((${{now%.*}} + {end_s})); \
             while [ ${{now%.*}} -lt $end ]; do read live <$P/sim_gpio0/value; \
             read status <$P/sim_gpio1/value; read now x </proc/uptime; \
             echo $now $live $status; sleep 0.04; done"
        )))
    }

    /// Begins to look at the lights, until [`Board::watched`].
    pub fn watch_lights(&mut self) {
        self.sh(&format!(
            "P=$(echo {PANEL}); touch /dev/shm/watching; (while [ -e /dev/shm/watching ]; do \
             read live <$P/sim_gpio0/value; read status <$P/sim_gpio1/value; read now x </proc/uptime; \
             echo $now $live $status; sleep 0.04; done) >/dev/shm/looks 2>&1 &"
        ));
    }

    /// Everything that was seen of the lights since.
    pub fn watched(&mut self) -> Vec<lights::Look> {
        lights::parse(
            &self.sh("rm /dev/shm/watching; sleep 1; cat /dev/shm/looks; rm /dev/shm/looks"),
        )
    }

    /// A short press of the button; gives the board's time of it.
    pub fn press(&mut self) -> Duration {
        self.hold(Duration::from_millis(200))
    }

    /// Presses the button for so long; gives the board's time of it.
    pub fn hold(&mut self, long: Duration) -> Duration {
        let at = self.sh(&format!(
            "P=$(echo {PANEL}); read now x </proc/uptime; echo pull-up >$P/sim_gpio2/pull; \
             sleep {}; echo pull-down >$P/sim_gpio2/pull; echo $now",
            long.as_secs_f64()
        ));
        Duration::from_secs_f64(at.trim().parse().expect("seconds"))
    }

    /// Goes live by the button, and waits until the console says so. An emulated camera on a busy machine may take
    /// longer to open than the box waits for one: then the box says so, and tries again by itself.
    #[track_caller]
    pub fn goes_live(&mut self) {
        for _ in 0..PRESSES {
            self.press();
            thread::sleep(Duration::from_secs(2));
            if self.until("live|ready").contains("state        live") {
                return;
            }
        }
        panic!("not live after {PRESSES} presses: {}", self.journal());
    }

    /// Holds the button, and waits until the broadcast has ended.
    pub fn stops(&mut self) {
        self.hold(Duration::from_millis(2_600));
        self.until("ready");
    }
}
