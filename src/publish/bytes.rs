//! Bytes between a socket and a connection, without waiting for more than one of both directions.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::{YOUNG_CONNECTION_BYTES, YOUNG_WRITE_BYTES};
use crate::rtmp::Outbound;
use crate::stream::Connection;

/// What one step of input or output did.
pub(super) enum Turn {
    Read(usize),
    /// So many bytes, and whether nothing of them waits inside of TLS.
    Wrote(usize, bool),
    Flushed,
    ShutDown,
}

/// One step of input or output, whichever can be done first; reading is never held up by writing.
pub(super) async fn turn<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    connection: &mut Connection,
    inbox: &mut [u8],
) -> io::Result<Turn> {
    poll_fn(|cx| {
        if !connection.is_deaf()
            && let Poll::Ready(read) = poll_read(stream, cx, inbox)
        {
            return Poll::Ready(read.map(Turn::Read));
        }
        poll_output(stream, cx, connection)
    })
    .await
}

/// Writes what the socket takes at once of what has just become ready: to look for input before would
/// be the second time since the wait.
pub(super) async fn write_at_once<S: AsyncWrite + Unpin>(
    stream: &mut S,
    connection: &mut Connection,
) -> io::Result<Option<Turn>> {
    match poll_fn(|cx| Poll::Ready(poll_output(stream, cx, connection))).await {
        Poll::Ready(turn) => turn.map(Some),
        Poll::Pending => Ok(None),
    }
}

fn poll_output<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    connection: &mut Connection,
) -> Poll<io::Result<Turn>> {
    if connection.may_write() && connection.transmit().has_remaining() {
        let outbound = connection.transmit();
        let length = std::task::ready!(poll_write(stream, cx, outbound))?;
        // What is written whole is mostly flushed too: no need to come back for it.
        let flush = length == outbound.remaining() && Pin::new(stream).poll_flush(cx)?.is_ready();
        Poll::Ready(Ok(Turn::Wrote(length, flush)))
    } else if connection.wants_flush() {
        Pin::new(stream).poll_flush(cx).map_ok(|()| Turn::Flushed)
    } else if connection.wants_shutdown() {
        Pin::new(stream).poll_shutdown(cx).map_ok(|()| Turn::ShutDown)
    } else {
        Poll::Pending
    }
}

fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    inbox: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(inbox);
    Pin::new(stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
}

fn poll_write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    outbound: &Outbound,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
    let count = outbound.chunks_vectored(&mut slices);
    let slices = &slices[..count];
    let is_young = outbound.taken() < YOUNG_CONNECTION_BYTES;
    if outbound.remaining() > GATHERED_BYTES && !is_young {
        return Pin::new(stream).poll_write_vectored(cx, slices);
    }
    let mut gathered = [0; YOUNG_WRITE_BYTES];
    let mut rest = &mut gathered[..];
    for slice in slices {
        let taken = slice.len().min(rest.len());
        rest[..taken].copy_from_slice(&slice[..taken]);
        rest = &mut rest[taken..];
    }
    let length = YOUNG_WRITE_BYTES - rest.len();
    Pin::new(stream).poll_write(cx, &gathered[..length])
}

/// Slices of one `writev`: at our chunk size some 128 KiB, twice of what TLS takes at once.
const WRITE_SLICES: usize = 64;
/// What is no longer than this, as audio is, is copied into one slice: for several, TLS allocates.
const GATHERED_BYTES: usize = 1_024;
