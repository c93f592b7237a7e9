//! Addresses that lead nowhere but to this machine.

use url::{Host, Url};

/// Is this an address of this machine alone, for certain?
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        let is = |url: &str| is_loopback(&url.parse().unwrap());
        assert!(is("http://127.0.0.1:3000") && is("http://LocalHost/x") && is("http://[::1]:1"));
        for url in ["https://api.github.com", "http://0.0.0.0", "http://localhost.example", "http://10.0.0.1"]
        {
            assert!(!is(url), "{url}");
        }
    }
}
