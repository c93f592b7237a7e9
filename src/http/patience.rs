//! Connections whose clients read nothing of their answer are given up: a stream of events has no end that would
//! show it, and each holds a place.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep},
};

/// Accepts connections that wait for their clients only so long.
pub struct Patient {
    listener: TcpListener,
    limit: Duration,
}

impl Patient {
    pub fn new(listener: TcpListener, limit: Duration) -> Self {
        Self { listener, limit }
    }
}

impl Listener for Patient {
    type Io = Connection<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        // This one waits where the system has no more files.
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        (Connection::new(stream, self.limit), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails when its client takes nothing for `limit`.
pub struct Connection<S> {
    stream: S,
    limit: Duration,
    /// Runs while something waits to be taken.
    gives_up: Pin<Box<Sleep>>,
    is_stuck: bool,
}

impl<S> Connection<S> {
    fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, gives_up: Box::pin(sleep(limit)), is_stuck: false }
    }

    /// What a write came to, and whether there was patience left for it.
    fn judged<T>(&mut self, done: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.is_stuck = false;
            return done;
        }
        if !self.is_stuck {
            self.is_stuck = true;
            self.gives_up.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(self.gives_up.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judged(done, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.judged(done, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn who_reads_nothing_is_given_up() {
        let (ours, _theirs) = duplex(8);
        let mut connection = Connection::new(ours, Duration::from_millis(20));
        let error = connection.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_reads_gets_everything_however_long_it_takes_in_all() {
        let (ours, mut theirs) = duplex(8);
        let mut connection = Connection::new(ours, Duration::from_secs(30));
        let sent = async { connection.write_all(&[7; 1_000]).await };
        let mut got = vec![0; 1_000];
        let (sent, read) = tokio::join!(sent, theirs.read_exact(&mut got));
        sent.unwrap();
        assert_eq!((read.unwrap(), got), (1_000, vec![7; 1_000]));
    }
}
