//! The control socket: `firstmile ctl` asks here what a console asks at the serial line.
//!
//! A Unix socket that only its owner may open. A client sends one line, for `key` and its like the secret as a second
//! one, and closes its sending side; it gets one line of JSON for each reply, and the end. A client
//! that does not read is cut off.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::console::{ClientId, Reply, Typed};
use crate::limits::{
    CONSOLE_OUT_LINES_MAX, CONTROL_ACCEPT_RETRY, CONTROL_CLIENTS_MAX, CONTROL_REQUEST_BYTES_MAX,
    CONTROL_TIMEOUT,
};

/// The socket's name in the service's runtime folder.
const NAME: &str = "control";
/// The runtime folder where the service manager names none.
const RUNTIME_FOLDER: &str = "/run/firstmile";

/// What comes over the socket.
#[derive(Debug)]
pub enum Heard {
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
#[derive(Debug, Serialize, Deserialize)]
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
pub fn listen(path: &Path) -> io::Result<mpsc::Receiver<Heard>> {
    if BlockingStream::connect(path).is_ok() {
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
    let (heard, received) = mpsc::channel(CONTROL_CLIENTS_MAX);
    tokio::spawn(accept(listener, heard));
    Ok(received)
}

async fn accept(listener: UnixListener, heard: mpsc::Sender<Heard>) {
    let places = Arc::new(Semaphore::new(CONTROL_CLIENTS_MAX));
    let mut client = 0_u32;
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
        let Ok(place) = places.clone().try_acquire_owned() else {
            let answer = Answer::from(&Reply::error("too many clients"));
            tokio::spawn(async move { timeout(CONTROL_TIMEOUT, write(stream, &answer)).await });
            continue;
        };
        // 0 is the serial line.
        client = client.checked_add(1).unwrap_or(1);
        let (from, heard) = (ClientId(client), heard.clone());
        tokio::spawn(async move {
            if let Err(error) = serve(stream, from, &heard).await {
                tracing::debug!(client = from.0, %error, "a client of the control socket is gone");
            }
            let _ = heard.send(Heard::Gone(from)).await;
            drop(place);
        });
    }
}

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
    heard: &mpsc::Sender<Heard>,
) -> io::Result<()> {
    let mut request = Zeroizing::new(Vec::with_capacity(CONTROL_REQUEST_BYTES_MAX + 1));
    let bound = CONTROL_REQUEST_BYTES_MAX as u64 + 1;
    timeout(CONTROL_TIMEOUT, (&mut stream).take(bound).read_to_end(&mut request)).await??;
    let (line, secret) = match understand(&request) {
        Ok(understood) => understood,
        Err(why) => return write(stream, &Answer::from(&Reply::error(why))).await,
    };
    let (answers, mut queue) = mpsc::channel(CONSOLE_OUT_LINES_MAX);
    if heard.send(Heard::Asked { from, line, secret, answers }).await.is_err() {
        return Ok(());
    }
    while let Some(answer) = queue.recv().await {
        timeout(CONTROL_TIMEOUT, stream.write_all(&line_of(&answer))).await??;
    }
    Ok(())
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

/// Asks a running box and gives its answers as they come.
///
/// # Errors
/// When no box listens at `path`, or the connection breaks.
pub fn ask(
    path: &Path,
    line: &str,
    secret: Option<&Typed>,
) -> io::Result<impl Iterator<Item = io::Result<Answer>> + use<>> {
    let mut stream = BlockingStream::connect(path)?;
    let secret = secret.map_or("", |secret| secret.0.as_str());
    let mut request = Zeroizing::new(String::with_capacity(line.len() + secret.len() + 2));
    [line, "\n", secret, "\n"].iter().for_each(|piece| request.push_str(piece));
    stream.write_all(request.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let lines = BufReader::new(stream).lines();
    Ok(lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)))
}
