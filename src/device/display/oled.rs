//! The driver of the chips, by what both of them understand: strips of eight rows ("page addressing").
//!
//! Of the crates for these chips none serves both on `embedded-hal` 1.0: `ssd1306` knows one of them,
//! `sh1106` stands on `embedded-hal` 0.2, and `oled_async` brings a logger for microcontrollers along. Each
//! transfer is one message: several in a row are joined without a start by `linux-embedded-hal`, which few
//! adapters can do.

use embedded_hal::i2c::I2c;

use crate::board::{self, Chip};
use crate::display::{Frame, STRIPS, Span, WIDTH};

/// Begins a message of commands, and one of data.
const COMMANDS: u8 = 0x00;
const DATA: u8 = 0x40;

const OFF: u8 = 0xae;
const ON: u8 = 0xaf;
/// Does nothing.
const NOP: u8 = 0xe3;

/// A display on a bus.
#[derive(Debug)]
pub struct Oled<B> {
    bus: B,
    chip: Chip,
    address: u8,
    upside_down: bool,
    contrast: u8,
}

impl<B: I2c> Oled<B> {
    /// The display that a profile describes, on its bus.
    pub fn new(bus: B, profile: &board::Display) -> Oled<B> {
        let contrast = profile.brightness_percent.min(100) * 255 / 100;
        Oled {
            bus,
            chip: profile.chip,
            address: profile.address,
            upside_down: profile.upside_down,
            contrast: u8::try_from(contrast).unwrap_or(u8::MAX),
        }
    }

    /// Asks whether it is there, and changes nothing.
    ///
    /// # Errors
    /// What the bus reports.
    pub fn look(&mut self) -> Result<(), B::Error> {
        self.command(&[NOP])
    }

    /// Sets the chip up, shows an image and lights it. The memory of a chip that was just switched on holds
    /// anything; one that shows something already goes on without a flash.
    ///
    /// # Errors
    /// What the bus reports; it is to be set up again.
    pub fn start(&mut self, frame: &Frame) -> Result<(), B::Error> {
        let turned = self.upside_down;
        self.command(&[0xd5, 0x80])?; // clock: the chip's own, not divided
        self.command(&[0xa8, 0x3f])?; // 64 rows,
        self.command(&[0xd3, 0x00])?; // from the first one
        self.command(&[0x40])?;
        match self.chip {
            Chip::Ssd1306 => {
                self.command(&[0x8d, 0x14])?; // the chip's own supply for the pixels
                self.command(&[0x20, 0x02])?; // strips of eight rows
            }
            // Its own supply is on from the start, and may be switched while the panel is dark alone.
            Chip::Sh1106 => {}
        }
        self.command(&[if turned { 0xa0 } else { 0xa1 }])?; // columns from the left,
        self.command(&[if turned { 0xc0 } else { 0xc8 }])?; // rows from the top
        self.command(&[0xda, 0x12])?; // how the rows are wired
        let contrast = self.contrast;
        self.command(&[0x81, contrast])?;
        self.command(match self.chip {
            Chip::Ssd1306 => &[0xd9, 0xf1], // charging: long enough for the chip's own supply
            Chip::Sh1106 => &[0xd9, 0x22],
        })?;
        self.command(match self.chip {
            Chip::Ssd1306 => &[0xdb, 0x20], // level of rows that are not lit
            Chip::Sh1106 => &[0xdb, 0x35],
        })?;
        self.command(&[0xa4])?; // what is in the memory, not all pixels,
        self.command(&[0xa6])?; // and lit where a bit is set
        for span in frame.spans() {
            self.write(span)?;
        }
        self.command(&[ON])
    }

    /// Changes what differs in `frame` from `before`, which it shows.
    ///
    /// # Errors
    /// What the bus reports; it is to be set up again.
    pub fn change(&mut self, before: &Frame, frame: &Frame) -> Result<(), B::Error> {
        frame.changes(before).into_iter().try_for_each(|span| self.write(span))
    }

    /// Makes it dark.
    ///
    /// # Errors
    /// What the bus reports.
    pub fn end(&mut self) -> Result<(), B::Error> {
        self.command(&[OFF])
    }

    fn write(&mut self, Span { strip, column, bytes }: Span<'_>) -> Result<(), B::Error> {
        // The SH1106 has 132 columns, of which displays show those in the middle.
        let column = match self.chip {
            Chip::Ssd1306 => column,
            Chip::Sh1106 => column + 2,
        };
        let strip = strip % STRIPS as u8;
        self.command(&[0xb0 | strip, column & 0x0f, 0x10 | column >> 4])?;
        let mut message = [DATA; 1 + WIDTH];
        let end = bytes.len().min(WIDTH);
        for (to, from) in message.iter_mut().skip(1).zip(bytes) {
            *to = *from;
        }
        self.bus.write(self.address, message.get(..=end).unwrap_or(&message))
    }

    fn command(&mut self, bytes: &[u8]) -> Result<(), B::Error> {
        let mut message = [COMMANDS; 4];
        let end = bytes.len().min(3);
        for (to, from) in message.iter_mut().skip(1).zip(bytes) {
            *to = *from;
        }
        self.bus.write(self.address, message.get(..=end).unwrap_or(&message))
    }
}

#[cfg(test)]
pub mod tests {
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;
    use crate::board::Bus;

    pub const GONE: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

    pub fn profile(chip: Chip) -> board::Display {
        board::Display {
            chip,
            bus: Bus::default(),
            address: 0x3c,
            upside_down: false,
            brightness_percent: 50,
            manual: None,
        }
    }

    /// An image with these pixels lit.
    pub fn image(pixels: &[(usize, usize)]) -> Frame {
        let mut strips = [[0_u8; WIDTH]; STRIPS];
        for (x, y) in pixels {
            strips[y / 8][*x] |= 1 << (y % 8);
        }
        Frame::of_strips(strips)
    }

    pub fn message(bytes: &[u8]) -> Transaction {
        Transaction::write(0x3c, bytes.to_vec())
    }

    fn commands(all: &[&[u8]]) -> Vec<Transaction> {
        all.iter().map(|bytes| message(&[&[COMMANDS], *bytes].concat())).collect()
    }

    /// The messages of a whole image.
    fn whole(frame: &Frame, column: u8) -> Vec<Transaction> {
        let strip = |span: Span<'_>| {
            let to = [COMMANDS, 0xb0 + span.strip, column, 0x10];
            [message(&to), message(&[&[DATA], span.bytes].concat())]
        };
        frame.spans().flat_map(strip).collect()
    }

    /// What is sent to a chip to set it up, by its data sheet.
    pub fn set_up(chip: Chip, frame: &Frame) -> Vec<Transaction> {
        let (own, column): (&[&[u8]], u8) = match chip {
            Chip::Ssd1306 => (&[&[0x8d, 0x14], &[0x20, 0x02]], 0),
            Chip::Sh1106 => (&[], 2),
        };
        let levels: [&[u8]; 2] = match chip {
            Chip::Ssd1306 => [&[0xd9, 0xf1], &[0xdb, 0x20]],
            Chip::Sh1106 => [&[0xd9, 0x22], &[0xdb, 0x35]],
        };
        let mut all = commands(&[&[0xd5, 0x80], &[0xa8, 0x3f], &[0xd3, 0x00], &[0x40]]);
        all.extend(commands(own));
        all.extend(commands(&[&[0xa1], &[0xc8], &[0xda, 0x12], &[0x81, 127]]));
        all.extend(commands(&levels));
        all.extend(commands(&[&[0xa4], &[0xa6]]));
        all.extend(whole(frame, column));
        all.extend(commands(&[&[ON]]));
        all
    }

    /// A display whose bus sees these messages, and the mock on which to call `done()`.
    fn display(chip: Chip, expected: &[Transaction]) -> (Mock, Oled<Mock>) {
        let bus = Mock::new(expected);
        (bus.clone(), Oled::new(bus, &profile(chip)))
    }

    #[test]
    fn each_chip_is_set_up_by_its_data_sheet_and_lit_once_its_memory_is_filled() {
        let frame = image(&[(0, 0), (127, 63), (64, 30)]);
        for chip in [Chip::Ssd1306, Chip::Sh1106] {
            let (mut bus, mut display) = display(chip, &set_up(chip, &frame));
            display.start(&frame).unwrap();
            bus.done();
        }
    }

    #[test]
    fn a_change_is_sent_to_its_own_columns_and_an_image_that_is_the_same_not_at_all() {
        let (before, after) = (image(&[(3, 3)]), image(&[(20, 8), (22, 9), (127, 63)]));
        for (chip, offset) in [(Chip::Ssd1306, 0), (Chip::Sh1106, 2)] {
            let to = |strip: u8, column: u8| {
                let column = column + offset;
                message(&[COMMANDS, 0xb0 + strip, column & 15, 0x10 + (column >> 4)])
            };
            let expected = [
                to(0, 3),
                message(&[DATA, 0]),
                to(1, 20),
                message(&[DATA, 1, 0, 2]),
                to(7, 127),
                message(&[DATA, 0x80]),
            ];
            let (mut bus, mut display) = display(chip, &expected);
            display.change(&before, &before).unwrap();
            display.change(&before, &after).unwrap();
            bus.done();
        }
    }

    #[test]
    fn a_display_that_is_mounted_upside_down_turns_its_image_itself() {
        let mut expected = set_up(Chip::Ssd1306, &Frame::DARK);
        expected[6] = message(&[COMMANDS, 0xa0]);
        expected[7] = message(&[COMMANDS, 0xc0]);
        expected[9] = message(&[COMMANDS, 0x81, 255]);
        let mut bus = Mock::new(&expected);
        let bright =
            board::Display { upside_down: true, brightness_percent: 100, ..profile(Chip::Ssd1306) };
        Oled::new(bus.clone(), &bright).start(&Frame::DARK).unwrap();
        bus.done();
    }

    #[test]
    fn an_address_that_does_not_answer_ends_what_is_being_sent() {
        let mut expected = set_up(Chip::Sh1106, &Frame::DARK);
        expected.truncate(20);
        expected[19] = expected[19].clone().with_error(GONE);
        let (mut bus, mut display) = display(Chip::Sh1106, &expected);
        assert_eq!(display.start(&Frame::DARK), Err(GONE));
        bus.done();
    }

    #[test]
    fn looking_for_a_display_changes_nothing_and_its_end_is_dark() {
        let expected = commands(&[&[NOP], &[OFF]]);
        let (mut bus, mut display) = display(Chip::Ssd1306, &expected);
        display.look().unwrap();
        display.end().unwrap();
        bus.done();
    }

    #[test]
    fn the_other_address_is_used_where_a_profile_says_so() {
        let mut bus = Mock::new(&[Transaction::write(0x3d, vec![COMMANDS, OFF])]);
        let other = board::Display { address: 0x3d, ..profile(Chip::Sh1106) };
        Oled::new(bus.clone(), &other).end().unwrap();
        bus.done();
    }
}
