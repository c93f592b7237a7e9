//! Where a request comes from, whatever proxies stand before the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, request::Parts},
};

/// Each proxy adds at the end of it who asked it.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of whoever asked, behind so many proxies of ours.
pub fn peer(parts: &Parts, proxies: usize) -> IpAddr {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let connected = connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    forwarded(&parts.headers, proxies).unwrap_or(connected)
}

/// What the outermost proxy of ours wrote. Whatever stands before it came with the request, and may be anything.
fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let values = headers.get_all(FORWARDED_FOR).iter();
    let entries: Vec<&[u8]> = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    let entry = entries.iter().rev().nth(proxies.checked_sub(1)?)?;
    address(std::str::from_utf8(entry).ok()?.trim())
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let whole = text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    whole.or_else(|_| bare.parse()).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_proxies_of_ours_wrote_counts() {
        for (lines, proxies, want) in [
            (&["10.0.0.1"][..], 0, None),
            (&["10.0.0.1"], 1, Some("10.0.0.1")),
            (&["6.6.6.6, 10.0.0.1"], 1, Some("10.0.0.1")),
            (&["6.6.6.6,10.0.0.1 , 10.0.0.2"], 2, Some("10.0.0.1")),
            (&["6.6.6.6", "10.0.0.1", "10.0.0.2"], 2, Some("10.0.0.1")),
            (&["10.0.0.1:4711"], 1, Some("10.0.0.1")),
            (&["[2001:db8::1]:4711"], 1, Some("2001:db8::1")),
            (&["[2001:db8::1]"], 1, Some("2001:db8::1")),
            (&["2001:db8::1"], 1, Some("2001:db8::1")),
            // The proxy says nothing that is an address, or there are fewer than was said.
            (&["6.6.6.6, unknown"], 1, None),
            (&["10.0.0.1"], 2, None),
            (&[], 1, None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
            }
            assert_eq!(
                forwarded(&headers, proxies),
                want.map(|want: &str| want.parse().unwrap()),
                "{lines:?} {proxies}"
            );
        }
    }
}
