//! Why no answer came, as far as the layers below tell.

use std::{error::Error, io};

/// What broke between us and GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The host's name has no address.
    Name,
    /// Nothing listens there.
    Refused,
    /// No way leads there.
    Unreachable,
    /// A certificate that is not trusted, or not the host's.
    Certificate,
    /// TLS failed otherwise; perhaps that port does not speak it.
    Tls,
    /// The proxy does not let us through.
    Proxy,
    TimedOut,
    /// The connection ended early.
    Lost,
}

impl Silence {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        // First: a time-out may wrap whatever was under way.
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let mut next: Option<&(dyn Error + 'static)> = error.source();
        let mut found = Self::Lost;
        while let Some(cause) = next {
            found = Self::sign(cause).unwrap_or(found);
            // What stands in an `io::Error` is not its source.
            let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| cause.source());
        }
        found
    }

    fn sign(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            let is_certificate = matches!(tls, rustls::Error::InvalidCertificate(_));
            return Some(if is_certificate { Self::Certificate } else { Self::Tls });
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => Some(Self::Refused),
                io::ErrorKind::TimedOut => Some(Self::TimedOut),
                io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::AddrNotAvailable => Some(Self::Unreachable),
                _ => None,
            };
        }
        // Those two have no type that can be named.
        let words = cause.to_string();
        if words.contains("dns error") {
            return Some(Self::Name);
        }
        (words.contains("tunnel") || words.contains("proxy")).then_some(Self::Proxy)
    }
}
