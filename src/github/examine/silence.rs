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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reqwest::dns::{Name, Resolve, Resolving};
    use tokio::net::TcpListener;

    use super::*;

    struct Nowhere;

    impl Resolve for Nowhere {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(async { Err("no such name".into()) })
        }
    }

    async fn ask(url: &str) -> Silence {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().dns_resolver(Arc::new(Nowhere)).no_proxy();
        let client = client.timeout(std::time::Duration::from_millis(300)).build().unwrap();
        Silence::of(&client.get(url).send().await.unwrap_err())
    }

    #[tokio::test]
    async fn each_layer_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain_at = plain.local_addr().unwrap();
        let answers = async {
            let (mut stream, _) = plain.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        };
        assert_eq!(ask("http://github.example").await, Silence::Name);
        assert_eq!(ask(&format!("http://{closed}")).await, Silence::Refused);
        assert_eq!(ask(&format!("http://{silent}")).await, Silence::TimedOut);
        let url = format!("https://{plain_at}");
        assert_eq!(tokio::join!(ask(&url), answers).0, Silence::Tls);
    }

    #[test]
    fn what_has_a_type_is_known_by_it() {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert_eq!(Silence::sign(&unknown), Some(Silence::Certificate));
        let cases = [
            (io::ErrorKind::NetworkUnreachable, Some(Silence::Unreachable)),
            (io::ErrorKind::HostUnreachable, Some(Silence::Unreachable)),
            (io::ErrorKind::ConnectionReset, None),
        ];
        for (kind, want) in cases {
            assert_eq!(Silence::sign(&io::Error::from(kind)), want, "{kind:?}");
        }
        assert_eq!(Silence::sign(&io::Error::other("tunnel error: unsuccessful")), None);
    }
}
