//! The emulated display: its driver is loaded when a scenario wants it, and shows what whoever stands in front of it sees.

use std::thread;
use std::time::{Duration, Instant};

use firstmile::display::{Drawing, Figures, Frame, Front, Meter, STRIPS, WIDTH};

use super::qemu::Disks;
use super::ready::Ready;
use super::{Board, PATIENCE};

/// Where its driver shows its parameters, and what is seen.
const PARAMETERS: &str = "/sys/module/board_oled/parameters";
const IMAGE: &str = "/sys/kernel/debug/board_oled/image";
const PROFILE: &str = include_str!("../../../board/vboard.toml");
/// Longest time on air, largest figures and delay that are looked for in an image.
const SECONDS_MAX: u64 = 900;
const KBPS_MAX: u32 = 900;
const DELAY_DS_MAX: u32 = 100;

impl Board {
    /// A board with a display of this chip, made ready for it as the manual says, and with the box started.
    pub fn with_display(ready: &Ready, chip: &str) -> Board {
        let mut board = Board::booted(ready, Disks::new(&ready.installed()));
        board.sh(&format!("modprobe i2c-dev; modprobe board_oled chip={chip}; udevadm settle"));
        board.sh("mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug");
        board.sh("ln -s /usr/share/firstmile/systemd/boards/display.conf \
             /etc/systemd/system/firstmile.service.d/; systemctl daemon-reload");
        let display = format!(
            "\n[display]\nchip = \"{chip}\"\nbus = \"name:board display\"\nbrightness_percent = 30\n"
        );
        board.write("/etc/firstmile/boards/with-display.toml", &(PROFILE.to_owned() + &display));
        board.start_box();
        board
    }

    /// One of the driver's parameters: what it has done.
    #[track_caller]
    pub fn display(&mut self, name: &str) -> u64 {
        let text = self.sh(&format!("cat {PARAMETERS}/{name}"));
        text.trim().parse().unwrap_or_else(|_| panic!("{name} is {text:?}"))
    }

    /// Pulls the display out or plugs it in (`absent`), or lets its bus hang or go on (`hang`).
    #[track_caller]
    pub fn set_display(&mut self, name: &str, is_so: bool) {
        self.sh(&format!("echo {} >{PARAMETERS}/{name}", u8::from(is_so)));
    }

    /// What is seen on the display.
    #[track_caller]
    pub fn image(&mut self) -> Frame {
        let text = self.sh(&format!("od -An -v -tx1 {IMAGE}"));
        let bytes = text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16));
        let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().expect("bytes");
        assert_eq!(bytes.len(), WIDTH * STRIPS, "{text}");
        let mut strips = [[0; WIDTH]; STRIPS];
        for (strip, columns) in strips.iter_mut().zip(bytes.chunks_exact(WIDTH)) {
            strip.copy_from_slice(columns);
        }
        Frame::of_strips(strips)
    }

    /// Waits until what is seen is one of these pages to the pixel. Of a page with figures it is one with some figures.
    #[track_caller]
    pub fn until_page(&mut self, what: &str, pages: impl Fn(&mut Board) -> Vec<Front>) -> Front {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let expected = pages(self);
            let image = self.image();
            if let Some(front) = expected.into_iter().find_map(|front| explain(&image, front)) {
                println!("board: the display shows {what}");
                return front;
            }
            assert!(Instant::now() < deadline, "never {what}, but\n{image:?}");
            thread::sleep(Duration::from_millis(300));
        }
    }
}

/// The page whose image this is to the pixel: this one, with the time, the figures and the levels that fit. Each of these
/// has a place of its own in the image, so that they are looked for one after the other.
pub fn explain(image: &Frame, front: Front) -> Option<Front> {
    let now = Duration::from_secs(10 * SECONDS_MAX);
    let drawing = Drawing::new(None);
    let mut best = Search { image, drawing: &drawing, now, least: u32::MAX, front };
    let plain = best.front.clone();
    best.offer(plain);
    if best.front.live_since.is_some() {
        for seconds in 0..SECONDS_MAX {
            let live_since = Some(now - Duration::from_secs(seconds));
            best.offer(Front { live_since, ..best.front.clone() });
        }
        for delay_ds in 0..DELAY_DS_MAX {
            best.figures(|figures| figures.delay_ds = delay_ds);
        }
        for sent_kbps in 0..KBPS_MAX {
            best.figures(|figures| figures.sent_kbps = sent_kbps);
        }
        for channel in 0..best.front.meters.len() {
            for dbfs in -60..=0 {
                best.meter(channel, |meter| meter.rms_dbfs = dbfs);
            }
            for dbfs in -60..=0 {
                best.meter(channel, |meter| meter.peak_dbfs = dbfs);
            }
            for dbfs in -60..=0 {
                best.meter(channel, |meter| meter.rms_dbfs = dbfs);
            }
        }
    }
    (best.least == 0).then_some(best.front)
}

/// The page that comes nearest to an image so far.
struct Search<'a> {
    image: &'a Frame,
    drawing: &'a Drawing,
    now: Duration,
    /// Pixels that differ.
    least: u32,
    front: Front,
}

impl Search<'_> {
    fn offer(&mut self, front: Front) {
        if self.least == 0 {
            return;
        }
        let drawn = self.drawing.draw(self.now, &front);
        let strips = drawn.spans().zip(self.image.spans());
        let columns = strips.flat_map(|(drawn, image)| drawn.bytes.iter().zip(image.bytes));
        let count: u32 = columns.map(|(drawn, image)| (drawn ^ image).count_ones()).sum();
        if count < self.least {
            (self.least, self.front) = (count, front);
        }
    }

    fn figures(&mut self, change: impl Fn(&mut Figures)) {
        let mut front = self.front.clone();
        front.figures.iter_mut().for_each(change);
        self.offer(front);
    }

    fn meter(&mut self, channel: usize, change: impl Fn(&mut Meter)) {
        let mut front = self.front.clone();
        front.meters.get_mut(channel).into_iter().for_each(change);
        self.offer(front);
    }
}
