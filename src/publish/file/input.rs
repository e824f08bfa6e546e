//! The bytes of a file, or of a stream that cannot be read twice, such as a pipe.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{self, error::TryRecvError};

use crate::limits::PIPE_PIECES_AHEAD;

/// How much is read at once; message bodies share this memory.
const PIECE_BYTES: usize = 64 * 1024;

/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Where the bytes of an FLV file come from.
pub struct Input {
    /// For messages.
    pub name: String,
    bytes: Source,
    /// What was read into, oldest first; to be used again once no message refers to it.
    pieces: VecDeque<Bytes>,
}

enum Source {
    /// Reading does not wait: a file, or the beginning of a pipe.
    Direct { file: File, is_file: bool },
    /// A thread reads, because it may have to wait.
    Pipe {
        pieces: mpsc::Receiver<io::Result<Bytes>>,
        /// What was waited for.
        next: Option<io::Result<Bytes>>,
    },
}

/// What reading gave.
pub enum Piece {
    Bytes(Bytes),
    /// There will be more.
    NotYet,
    End,
}

impl Input {
    /// Opens `path`; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened, with the message for the owner.
    pub fn open(path: &Path) -> Result<Input, String> {
        let is_standard = path == Path::new(STANDARD_INPUT);
        let name = if is_standard { "standard input".into() } else { path.display().to_string() };
        let path = if is_standard { Path::new("/dev/stdin") } else { path };
        let opened = File::open(path).and_then(|file| {
            let is_file = file.metadata()?.is_file();
            Ok(Source::Direct { file, is_file })
        });
        let bytes = opened.map_err(|error| format!("{name} cannot be read: {error}"))?;
        Ok(Input { name, bytes, pieces: VecDeque::new() })
    }

    /// Whether it can be read as often as needed, from any byte.
    pub fn is_file(&self) -> bool {
        matches!(self.bytes, Source::Direct { is_file: true, .. })
    }

    /// Goes to byte `offset`.
    ///
    /// # Errors
    /// When it is no file, with the message for the owner.
    pub fn seek(&mut self, offset: u64) -> Result<(), String> {
        let sought = match &mut self.bytes {
            Source::Direct { file, is_file: true } => file.seek(SeekFrom::Start(offset)).map(drop),
            _ => Err(io::Error::other("it is no file, and is gone once it was read")),
        };
        sought.map_err(|error| format!("{} cannot be read again: {error}", self.name))
    }

    /// From now on reading waits for nothing: what may have to wait is read by a thread.
    ///
    /// # Errors
    /// When there is no thread, with the message for the owner.
    pub fn read_without_waiting(&mut self) -> Result<(), String> {
        let Source::Direct { file, is_file: false } = &self.bytes else { return Ok(()) };
        let (to_reader, pieces) = mpsc::channel(PIPE_PIECES_AHEAD);
        file.try_clone()
            .and_then(|file| {
                let read = move || hand_over(file, &to_reader);
                thread::Builder::new().name("input".to_owned()).spawn(read)
            })
            .map_err(|error| format!("{} cannot be read: {error}", self.name))?;
        self.bytes = Source::Pipe { pieces, next: None };
        Ok(())
    }

    /// The next bytes.
    ///
    /// # Errors
    /// When they cannot be read, with the message for the owner.
    pub fn read(&mut self) -> Result<Piece, String> {
        let read = match &mut self.bytes {
            Source::Direct { file, .. } => {
                let mut piece = free_piece(&mut self.pieces);
                file.read(&mut piece).map(|length| {
                    let piece = piece.freeze();
                    let read = piece.slice(..length);
                    self.pieces.push_back(piece);
                    read
                })
            }
            Source::Pipe { pieces, next } => {
                match next.take().map_or_else(|| pieces.try_recv(), Ok) {
                    Ok(piece) => piece,
                    Err(TryRecvError::Empty) => return Ok(Piece::NotYet),
                    Err(TryRecvError::Disconnected) => Ok(Bytes::new()),
                }
            }
        };
        match read {
            Ok(bytes) if bytes.is_empty() => Ok(Piece::End),
            Ok(bytes) => Ok(Piece::Bytes(bytes)),
            Err(error) => Err(format!("{} cannot be read: {error}", self.name)),
        }
    }

    /// Waits until there is something to read, or nothing to come. May be dropped at any time.
    pub async fn wait(&mut self) {
        if let Source::Pipe { pieces, next: next @ None } = &mut self.bytes {
            *next = pieces.recv().await;
        }
    }
}

/// Reads until the end, or until nobody takes it any more.
fn hand_over(mut file: File, to_reader: &mpsc::Sender<io::Result<Bytes>>) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => Ok(Bytes::copy_from_slice(&piece[..length])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_over = read.is_err();
        if to_reader.blocking_send(read).is_err() || is_over {
            return;
        }
    }
}

/// A piece to read into: the oldest, or a new one while that is still being sent. The bound on
/// what waits to be sent bounds their number.
fn free_piece(pieces: &mut VecDeque<Bytes>) -> BytesMut {
    match pieces.pop_front().map(Bytes::try_into_mut) {
        Some(Ok(piece)) => return piece,
        Some(Err(in_use)) => pieces.push_front(in_use),
        None => {}
    }
    BytesMut::zeroed(PIECE_BYTES)
}
