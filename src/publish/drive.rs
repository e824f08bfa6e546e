//! Drives one connection: the loop between socket, connection and media. Nothing is decided here.

use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use super::bytes::{Turn, turn, write_at_once};
use super::socket::TcpProbe;
use crate::clock::{Alarm, Clock};
use crate::stream::{Close, Connection, ConnectionStats, Ending, Error, Kernel, Progress, Source};

/// Publishes until `close` resolves, the source ends or something fails.
pub(super) async fn drive<W: AsyncRead + AsyncWrite + Unpin, S: Source>(
    clock: Clock,
    mut stream: W,
    connection: &mut Connection,
    source: &mut S,
    probe: Option<TcpProbe>,
    report: &mut (dyn FnMut(Progress) + Send),
    mut close: Pin<&mut impl Future<Output = Close>>,
) -> Result<ConnectionStats, Error> {
    let kernel = || probe.as_ref().map_or(Kernel::Unknown, TcpProbe::ask);
    let mut inbox = vec![0_u8; 16 * 1024];
    let mut alarm = Alarm::new(clock);
    loop {
        connection.advance(clock.now(), source, kernel);
        while let Some(progress) = connection.poll_progress() {
            report(progress);
        }
        if let Some(ended) = connection.poll_end() {
            return ended;
        }
        let (may_be_closed, deadline) = (connection.may_be_closed(), connection.poll_timeout());
        let wants_media = connection.wants_media();
        tokio::select! {
            biased;
            turn = turn(&mut stream, connection, &mut inbox) => {
                handle(clock, connection, turn.map(Some), &inbox);
            }
            how = &mut close, if may_be_closed => connection.handle_close(clock.now(), how),
            () = source.ready(), if wants_media => {
                connection.advance(clock.now(), source, kernel);
                let turn = write_at_once(&mut stream, connection).await;
                handle(clock, connection, turn, &inbox);
            }
            () = alarm.ring(deadline) => {}
        }
    }
}

fn handle(clock: Clock, connection: &mut Connection, turn: io::Result<Option<Turn>>, inbox: &[u8]) {
    match turn {
        Ok(Some(Turn::Read(0))) => connection.handle_eof(clock.now()),
        Ok(Some(Turn::Read(length))) => connection.handle_input(clock.now(), &inbox[..length]),
        Ok(Some(Turn::Wrote(length, flushed))) => connection.handle_written(length, flushed),
        Ok(Some(Turn::Flushed)) => connection.handle_flushed(),
        Ok(Some(Turn::ShutDown)) => connection.handle_shutdown(),
        Ok(None) => {}
        Err(error) => {
            // A TLS server that closes without close_notify; it has read everything, or it would
            // reset.
            let how = match error.kind() {
                io::ErrorKind::UnexpectedEof => Ending::Closed,
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ending::Reset,
                _ => Ending::Broken,
            };
            connection.handle_broken(clock.now(), how, &why(&error));
        }
    }
}

/// Why a connection was lost, for the owner.
pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server hung up".to_owned(),
        _ => error.to_string(),
    }
}
