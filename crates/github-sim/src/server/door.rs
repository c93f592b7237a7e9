//! The listener and its connections, which close together.

use std::io;
use std::net::Ipv4Addr;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exchange;
use super::line::Line;
use crate::{Sim, webhooks};

/// An open listener and everything that came through it.
#[derive(Debug)]
pub(crate) struct Door {
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// Binds the port on the loopback interface; 0 takes a free one.
pub(crate) async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// The port a listener got.
pub(crate) fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().map_or(0, |address| address.port())
}

impl Door {
    /// Starts to accept connections.
    pub fn open(sim: &Sim, listener: TcpListener) -> Self {
        let door = Self { closing: CancellationToken::new(), tasks: TaskTracker::new() };
        let (closing, tasks) = (door.closing.clone(), door.tasks.clone());
        let sending = webhooks::run(sim.clone(), closing.clone(), tasks.clone());
        let until = closing.clone();
        door.tasks.spawn(async move {
            until.run_until_cancelled_owned(sending).await;
        });
        let accepting = accept_all(sim.clone(), listener, closing.clone(), tasks);
        door.tasks.spawn(async move {
            closing.run_until_cancelled_owned(accepting).await;
        });
        door
    }

    /// Closes the listener and cuts every connection, answered or not.
    pub async fn close(self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept_all(sim: Sim, listener: TcpListener, closing: CancellationToken, tasks: TaskTracker) {
    loop {
        // A failed accept concerns one client only; the listener stays good.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let connection = serve(sim.clone(), stream);
        let closing = closing.clone();
        tasks.spawn(async move {
            closing.run_until_cancelled_owned(connection).await;
        });
    }
}

async fn serve(sim: Sim, stream: TcpStream) {
    // Without this a small answer may wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let (line, reset) = Line::new(stream);
    let service = service_fn(|request| exchange::serve(sim.clone(), request, reset.clone()));
    // An error here is a cut that a fault asked for, or a client that left.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(line), service).await;
}
