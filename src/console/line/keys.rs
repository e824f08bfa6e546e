//! From the bytes of a terminal to keys.

use crate::limits::CONSOLE_ESCAPE_BYTES_MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    KillLine,
    KillWord,
    Redraw,
    Interrupt,
}

/// Where the byte stream stands between two keys.
#[derive(Debug, Default)]
pub(super) enum Decoder {
    #[default]
    Ground,
    /// Bytes of a character in UTF-8, and how many it will have.
    Utf8 {
        bytes: [u8; 4],
        have: usize,
        want: usize,
    },
    Escape,
    /// `ESC [`, with its parameter bytes.
    Csi {
        parameters: Vec<u8>,
    },
    /// `ESC O`: some terminals send arrow keys so.
    Ss3,
    /// `ESC [ [`: what the Linux console begins its function keys with; one byte follows.
    Function,
}

impl Decoder {
    /// Takes one byte; tells the key that it completes. What is no key is dropped.
    pub(super) fn feed(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(self) {
            Decoder::Ground => self.begin(byte),
            Decoder::Utf8 { mut bytes, have, want } => {
                if byte & 0xc0 != 0x80 {
                    return self.begin(byte); // the character before it was broken off
                }
                bytes[have] = byte;
                if have + 1 < want {
                    *self = Decoder::Utf8 { bytes, have: have + 1, want };
                    return None;
                }
                let text = std::str::from_utf8(&bytes[..want]).ok()?;
                text.chars().next().filter(|c| !c.is_control()).map(Key::Char)
            }
            Decoder::Escape => {
                match byte {
                    b'[' => *self = Decoder::Csi { parameters: Vec::new() },
                    b'O' => *self = Decoder::Ss3,
                    // A line end or ^C after a lone ESC still counts.
                    0x00..=0x1f => return self.begin(byte),
                    _ => {}
                }
                None
            }
            Decoder::Ss3 => cursor_key(byte),
            Decoder::Function => {
                if byte < b' ' {
                    self.begin(byte)
                } else {
                    None
                }
            }
            Decoder::Csi { mut parameters } => match byte {
                b'~' => match parameters.as_slice() {
                    // PuTTY, tmux and screen; rxvt.
                    b"1" | b"7" => Some(Key::Home),
                    b"4" | b"8" => Some(Key::End),
                    b"3" => Some(Key::Delete),
                    _ => None,
                },
                b'[' if parameters.is_empty() => {
                    *self = Decoder::Function;
                    None
                }
                // A key with Shift, Alt or Ctrl (`ESC [ 1 ; 5 D`) does what it does without.
                0x40..=0x7e if parameters.is_empty() || parameters.starts_with(b"1;") => {
                    cursor_key(byte)
                }
                0x40..=0x7e => None,
                0x20..=0x3f if parameters.len() < CONSOLE_ESCAPE_BYTES_MAX => {
                    parameters.push(byte);
                    *self = Decoder::Csi { parameters };
                    None
                }
                _ => self.begin(byte),
            },
        }
    }

    fn begin(&mut self, byte: u8) -> Option<Key> {
        let utf8 = |want| Decoder::Utf8 { bytes: [byte, 0, 0, 0], have: 1, want };
        match byte {
            b'\r' | b'\n' => return Some(Key::Enter),
            b'\t' => return Some(Key::Tab),
            0x08 | 0x7f => return Some(Key::Backspace),
            0x01 => return Some(Key::Home),
            0x03 => return Some(Key::Interrupt),
            0x05 => return Some(Key::End),
            0x0c => return Some(Key::Redraw),
            0x15 => return Some(Key::KillLine),
            0x17 => return Some(Key::KillWord),
            0x1b => *self = Decoder::Escape,
            0x20..=0x7e => return Some(Key::Char(char::from(byte))),
            0xc2..=0xdf => *self = utf8(2),
            0xe0..=0xef => *self = utf8(3),
            0xf0..=0xf4 => *self = utf8(4),
            _ => {}
        }
        None
    }
}

fn cursor_key(byte: u8) -> Option<Key> {
    match byte {
        b'A' => Some(Key::Up),
        b'B' => Some(Key::Down),
        b'C' => Some(Key::Right),
        b'D' => Some(Key::Left),
        b'H' => Some(Key::Home),
        b'F' => Some(Key::End),
        _ => None,
    }
}
