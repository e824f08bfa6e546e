//! The control socket: `firstmile ctl` asks here what a console asks at the serial line.
//!
//! A Unix socket that only its owner may open. A client sends two lines: the command, and the secret
//! that belongs to it or nothing. It gets one line of JSON for each reply, and the end. A client that
//! does not read is cut off, and one that closes the connection is gone at once. When all places are
//! taken, there is still one for the import of a stick.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{AccessFlags, access};
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::ReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::console::{self, ClientId, Reply, Typed};
use crate::limits::{
    CONSOLE_OUT_LINES_MAX, CONSOLE_PORTS_MAX, CONTROL_ACCEPT_RETRY, CONTROL_CLIENTS_MAX,
    CONTROL_HALF_CLOSED_LOOK, CONTROL_IMPORTS_MAX, CONTROL_REQUEST_BYTES_MAX, CONTROL_TIMEOUT,
};

/// The number of the first client: those before are the box's ports.
const FIRST_CLIENT: u32 = CONSOLE_PORTS_MAX as u32;
/// The socket's name in the service's runtime folder.
const NAME: &str = "control";
/// The runtime folder where the service manager names none.
const RUNTIME_FOLDER: &str = "/run/firstmile";

/// What happens at the socket.
#[derive(Debug)]
pub enum SocketEvent {
    /// A client asks.
    Asked {
        /// Who.
        from: ClientId,
        /// The line.
        line: String,
        /// The secret that came with it.
        secret: Option<Typed>,
        /// Where the answers go; dropping it ends the connection.
        answers: mpsc::Sender<Answer>,
    },
    /// It is gone.
    Gone(ClientId),
}

/// One reply as a client gets it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// Whether what was asked for is done.
    pub ok: bool,
    /// For people.
    pub lines: Vec<String>,
    /// For programs.
    pub data: serde_json::Value,
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Answer {
        Answer {
            ok: !reply.is_error(),
            lines: reply.render_text(),
            // Replies are structs, strings and finite numbers.
            data: serde_json::to_value(reply).unwrap_or_default(),
        }
    }
}

/// Where the socket is: in the folder that the service manager made (`RUNTIME_DIRECTORY`).
pub fn path(runtime_folder: Option<&str>) -> PathBuf {
    let first = runtime_folder.and_then(|folders| folders.split(':').next());
    Path::new(first.unwrap_or(RUNTIME_FOLDER)).join(NAME)
}

/// Listens at `path`, which takes the place of whatever socket an earlier run left there.
///
/// # Errors
/// When the socket cannot be made, or another run of the program answers at it.
pub fn listen(path: &Path) -> io::Result<mpsc::Receiver<SocketEvent>> {
    // One that does not answer in time runs all the same.
    let found = connect(path, Some(CONTROL_TIMEOUT));
    if found.map_or_else(|error| is_silence(&error), |_| true) {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another firstmile is running"));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let (events, received) = mpsc::channel(CONTROL_CLIENTS_MAX);
    tokio::spawn(accept(listener, events));
    Ok(received)
}

async fn accept(listener: UnixListener, events: mpsc::Sender<SocketEvent>) {
    let places = Arc::new(Semaphore::new(CONTROL_CLIENTS_MAX));
    let kept = Arc::new(Semaphore::new(CONTROL_IMPORTS_MAX));
    let mut client = FIRST_CLIENT - 1;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Such as too many open files: it passes, and the socket is the way to look why.
            Err(error) => {
                tracing::warn!(%error, "a client of the control socket is not let in");
                sleep(CONTROL_ACCEPT_RETRY).await;
                continue;
            }
        };
        let place = places.clone().try_acquire_owned().map(|place| (place, Admits::Anybody));
        let kept = || kept.clone().try_acquire_owned().map(|place| (place, Admits::Imports));
        let Ok((place, admits)) = place.or_else(|_| kept()) else {
            let answer = Answer::from(&Reply::error(TOO_MANY));
            tokio::spawn(async move { timeout(CONTROL_TIMEOUT, write(stream, &answer)).await });
            continue;
        };
        client = client.checked_add(1).unwrap_or(FIRST_CLIENT);
        let (from, events) = (ClientId(client), events.clone());
        tokio::spawn(async move {
            if let Err(error) = serve(stream, from, admits, &events).await {
                tracing::debug!(client = from.0, %error, "a client of the control socket is gone");
            }
            let _ = events.send(SocketEvent::Gone(from)).await;
            drop(place);
        });
    }
}

/// Whom a place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admits {
    Anybody,
    Imports,
}

const TOO_MANY: &str = "too many clients";

async fn write(mut stream: UnixStream, answer: &Answer) -> io::Result<()> {
    stream.write_all(&line_of(answer)).await
}

fn line_of(answer: &Answer) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}

async fn serve(
    mut stream: UnixStream,
    from: ClientId,
    admits: Admits,
    events: &mpsc::Sender<SocketEvent>,
) -> io::Result<()> {
    let request = timeout(CONTROL_TIMEOUT, read_request(&mut stream)).await??;
    let (line, secret) = match understand(&request) {
        Ok(understood) => understood,
        Err(why) => return write(stream, &Answer::from(&Reply::error(why))).await,
    };
    let is_import = || matches!(console::parse(&line), Ok(Some(asked)) if asked.is_of_import());
    if admits == Admits::Imports && !is_import() {
        return write(stream, &Answer::from(&Reply::error(TOO_MANY))).await;
    }
    let (answers, mut queue) = mpsc::channel(CONSOLE_OUT_LINES_MAX);
    if events.send(SocketEvent::Asked { from, line, secret, answers }).await.is_err() {
        return Ok(());
    }
    let (mut reader, mut writer) = stream.split();
    loop {
        tokio::select! {
            answer = queue.recv() => match answer {
                Some(answer) => {
                    timeout(CONTROL_TIMEOUT, writer.write_all(&line_of(&answer))).await??;
                }
                None => return Ok(()),
            },
            () = closed(&mut reader) => return Ok(()),
        }
    }
}

/// Lines of a request: the command and its secret, which may be empty.
const REQUEST_LINES: usize = 2;

fn lines_of(request: &[u8]) -> usize {
    request.iter().filter(|byte| **byte == b'\n').count()
}

/// Reads both lines, or up to the end of what the client sends, or one byte more than the bound.
async fn read_request(stream: &mut UnixStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut request = Zeroizing::new(Vec::with_capacity(CONTROL_REQUEST_BYTES_MAX + 1));
    let bound = CONTROL_REQUEST_BYTES_MAX as u64 + 1;
    let mut limited = stream.take(bound);
    while lines_of(&request) < REQUEST_LINES && limited.read_buf(&mut *request).await? > 0 {}
    Ok(request)
}

/// Returns when the client has closed the connection; what else it sends is not looked at. Who has
/// closed only the sending side still wants the answers.
async fn closed(reader: &mut ReadHalf<'_>) {
    let mut ignored = [0; 64];
    while matches!(reader.read(&mut ignored).await, Ok(length) if length > 0) {}
    while !is_hung_up(reader.as_ref()) {
        sleep(CONTROL_HALF_CLOSED_LOOK).await;
    }
}

fn is_hung_up(stream: &UnixStream) -> bool {
    let mut sides = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    let looked = poll(&mut sides, PollTimeout::ZERO);
    let found = sides[0].revents().unwrap_or(PollFlags::POLLHUP);
    looked.is_err() || found.contains(PollFlags::POLLHUP)
}

/// The line and the secret of a request.
fn understand(request: &[u8]) -> Result<(String, Option<Typed>), String> {
    if request.len() > CONTROL_REQUEST_BYTES_MAX {
        return Err(format!("the request is longer than {CONTROL_REQUEST_BYTES_MAX} bytes"));
    }
    let text = std::str::from_utf8(request).map_err(|_| "the request is not UTF-8 text")?;
    let (line, secret) = text.split_once('\n').unwrap_or((text, ""));
    // Blanks at its ends may belong to a secret.
    let secret = secret.trim_end_matches(['\r', '\n']);
    let secret = (!secret.is_empty()).then(|| Typed::from(secret));
    Ok((line.trim().to_owned(), secret))
}

/// Connects to a running box. One that is stopped accepts no connection once its queue is full, and
/// takes no bytes once its buffer is.
fn connect(path: &Path, patience: Option<Duration>) -> io::Result<BlockingStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_read_timeout(patience)?;
    socket.set_write_timeout(patience)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(BlockingStream::from(OwnedFd::from(socket)))
}

/// Whether an error says that a box is there and does not answer in time.
pub fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Asks a running box and gives its answers as they come, each within `patience` if there is one.
///
/// # Errors
/// When no box listens at `path`, or the connection breaks.
pub fn ask(
    path: &Path,
    line: &str,
    secret: Option<&Typed>,
    patience: Option<Duration>,
) -> io::Result<impl Iterator<Item = io::Result<Answer>> + use<>> {
    let mut stream = connect(path, patience)?;
    let secret = secret.map_or("", |secret| secret.0.as_str());
    let mut request = Zeroizing::new(String::with_capacity(line.len() + secret.len() + 2));
    [line, "\n", secret, "\n"].iter().for_each(|piece| request.push_str(piece));
    stream.write_all(request.as_bytes())?;
    let lines = BufReader::new(stream).lines();
    Ok(lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)))
}

/// Whether this process may ask the box at `path`, without asking anything.
///
/// # Errors
/// As [`ask`].
pub fn may_ask(path: &Path) -> io::Result<()> {
    access(path, AccessFlags::W_OK).map_err(io::Error::from)
}

/// Whether [`ask`] failed because no box runs, rather than because it cannot be asked.
pub fn is_nobody_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
