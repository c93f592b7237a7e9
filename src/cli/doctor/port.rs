//! The address to listen on: free, taken by a Dispatch, or taken by something else.

use std::{
    io::{Error, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use reqwest::Method;
use tokio::net::TcpListener;

use super::{
    report::{Check, Line, Report},
    words,
};
use crate::cli::client::Server;

/// Whoever listens on this machine answers faster.
const PATIENCE: Duration = Duration::from_secs(3);

pub async fn check(bind: SocketAddr, report: &mut Report) {
    let line = match TcpListener::bind(bind).await {
        Ok(_) => Line::ok(Check::Port, "free"),
        Err(error) if error.kind() == ErrorKind::AddrInUse => taken(bind).await,
        Err(error) => refused(&error, bind),
    };
    report.add(line.about(bind.to_string()));
    if !bind.ip().is_loopback() {
        let what = "others can reach it, and Dispatch speaks plain HTTP";
        let remedy = "put a proxy with TLS before it, or set DISPATCH_BIND to 127.0.0.1";
        report.add(Line::warning(Check::Port, what, remedy).about(bind.to_string()));
    }
}

/// Is it a Dispatch that listens there?
async fn taken(bind: SocketAddr) -> Line {
    let stranger = || {
        Line::error(
            Check::Port,
            "another program listens there",
            "end that one, or choose another by DISPATCH_BIND or PORT",
        )
    };
    let Ok(server) = Server::at_within(format!("http://{}", reachable(bind)), None, PATIENCE) else {
        return stranger();
    };
    let Ok(answer) = server.send(Method::GET, "/api/health", None).await else { return stranger() };
    let field = |name: &str| answer.body[name].as_str();
    match (field("version"), field("database")) {
        (Some(version), Some("ok")) => {
            Line::ok(Check::Port, format!("a Dispatch ({}) runs here already", words::plain(version)))
        }
        (Some(version), Some(_)) => Line::warning(
            Check::Port,
            format!("a Dispatch ({}) runs here already, but not its database", words::plain(version)),
            "see the lines about the database, and the server's log",
        ),
        _ => stranger(),
    }
}

/// Where to knock at a server that listens on every address.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

fn refused(error: &Error, bind: SocketAddr) -> Line {
    let choose = "choose another by DISPATCH_BIND or PORT";
    match error.kind() {
        ErrorKind::PermissionDenied if bind.port() < 1024 => Line::error(
            Check::Port,
            "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)",
            "grant it, or choose a port from 1024 by DISPATCH_BIND or PORT and put a proxy before it",
        ),
        ErrorKind::AddrNotAvailable => {
            Line::error(Check::Port, "this machine does not have that address", choose)
        }
        kind => Line::error(Check::Port, format!("it cannot be listened on ({kind})"), choose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let says = |kind: ErrorKind, bind: &str| refused(&kind.into(), bind.parse().unwrap()).message;
        assert!(says(ErrorKind::PermissionDenied, "127.0.0.1:80").contains("below 1024"));
        assert!(says(ErrorKind::PermissionDenied, "127.0.0.1:8080").contains("permission denied"));
        assert!(says(ErrorKind::AddrNotAvailable, "192.0.2.1:3000").contains("does not have"));
    }

    #[test]
    fn a_server_on_every_address_is_asked_on_loopback() {
        for (bind, ask) in
            [("0.0.0.0:3000", "127.0.0.1:3000"), ("[::]:1", "[::1]:1"), ("192.0.2.1:3", "192.0.2.1:3")]
        {
            assert_eq!(reachable(bind.parse().unwrap()).to_string(), ask);
        }
    }
}
