//! By which names a browser may ask. Pure.
//!
//! A page of somebody else can have a name that leads to this machine (DNS rebinding), and then the
//! browser takes what is here for that page's own. The header `Host` has the name. An address in it
//! can't have been looked up, and so it is harmless.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether the value of a header `Host` (RFC 9110, 7.2) is an address, `localhost`, or one of
/// `names`, with any port.
pub(crate) fn is_allowed(host: &str, names: &[String]) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            return is_port(port) && address.parse::<Ipv6Addr>().is_ok();
        }
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_same = |known: &String| known.eq_ignore_ascii_case(name);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok()
        || names.iter().any(is_same)
}

/// Whether a text is nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_known_names_are_allowed() {
        let names = ["deploys.example.org".to_owned()];
        let table = [
            ("localhost", true),
            ("localhost:8008", true),
            ("LOCALHOST.", true),
            ("127.0.0.1", true),
            ("127.0.0.1:1", true),
            ("192.0.2.1:80", true),
            ("[::1]", true),
            ("[::1]:8008", true),
            ("deploys.example.org", true),
            ("Deploys.Example.org:443", true),
            ("", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("127.0.0.1:80@evil.example", false),
            ("deploys.example.org.evil.example", false),
            ("[::1].evil.example", false),
            ("[evil.example]", false),
            ("0x7f000001", false),
            ("2130706433", false),
        ];
        for (host, expect) in table {
            assert_eq!(is_allowed(host, &names), expect, "{host:?}");
        }
    }
}
