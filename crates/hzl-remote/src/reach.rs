//! Where on the network an address lies, and which addresses a hook may be sent to.
//!
//! Not for the cloud database, whose address only a person sets and which has to know a token. Invariants: an
//! address that no hook has business with (link-local, where clouds serve credentials, and what is no host at
//! all) is refused whatever the settings say; addresses that wrap another one count as that one.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// What `hooks.allowPrivate` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrivateHooks {
    /// Not set: to this machine and to private networks only by an address or a name that says so.
    #[default]
    Named,
    /// `true`: by any name.
    Allowed,
    /// `false`: not at all.
    Refused,
}

/// Where an address lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Public,
    /// A network that is somebody's own.
    Private,
    /// This machine.
    Loopback,
    /// Nowhere that a hook belongs.
    Never,
}

/// How the host of a hook is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Address(IpAddr),
    /// A name that no public server has.
    PrivateName,
    Name,
    /// A number that resolvers take for an address, such as `0x7f.1`: it hides where it leads.
    OddNumber,
}

/// Why an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not one that hooks may be sent to.
    #[error("{0} is not an address that hooks may be sent to")]
    Never(IpAddr),
    /// `hooks.allowPrivate` is false.
    #[error("{0} is private, and hooks.allowPrivate is false")]
    Private(IpAddr),
    /// A public name leads into a private network.
    #[error(
        "the name leads to the private address {0}: set hooks.allowPrivate to true if it is meant to"
    )]
    Rebound(IpAddr),
    /// It is a number that could be any address.
    #[error("the host is an address in an unusual form: write it as 127.0.0.1 or [::1]")]
    OddNumber,
}

impl PrivateHooks {
    /// Checks a host before anything is resolved. Passes names, which [`PrivateHooks::check`] judges by the
    /// addresses they turn out to have.
    pub(crate) fn check_host(self, host: &str) -> Result<(), Refused> {
        match Spelling::of(host) {
            Spelling::Address(address) => self.check(host, address),
            Spelling::OddNumber => Err(Refused::OddNumber),
            Spelling::PrivateName | Spelling::Name => Ok(()),
        }
    }

    /// Checks an address that a host has.
    pub(crate) fn check(self, host: &str, address: IpAddr) -> Result<(), Refused> {
        match (Reach::of(address), self) {
            (Reach::Never, _) => Err(Refused::Never(address)),
            (Reach::Public, _) | (Reach::Private | Reach::Loopback, Self::Allowed) => Ok(()),
            (Reach::Private | Reach::Loopback, Self::Refused) => Err(Refused::Private(address)),
            (Reach::Private | Reach::Loopback, Self::Named) => match Spelling::of(host) {
                Spelling::Address(_) | Spelling::PrivateName => Ok(()),
                Spelling::Name | Spelling::OddNumber => Err(Refused::Rebound(address)),
            },
        }
    }
}

impl Spelling {
    fn of(host: &str) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return Self::Address(address);
        }
        if host.starts_with('[') {
            return Self::OddNumber; // with the name of an interface, for instance
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        // As browsers do: what ends in a number is meant as an address.
        let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            return Self::OddNumber;
        }
        let is_private =
            last == name || name.ends_with(".home.arpa") || PRIVATE_SUFFIXES.contains(&last);
        if is_private {
            Self::PrivateName
        } else {
            Self::Name
        }
    }
}

/// Last parts of names that are never given to public servers.
///
/// Source: RFC 6761, RFC 6762 and RFC 8375; ICANN's resolution of 2024-07-29 on `internal`; the names
/// that ICANN will not delegate for being used like this.
const PRIVATE_SUFFIXES: [&str; 9] = [
    "corp",
    "home",
    "internal",
    "intranet",
    "lan",
    "local",
    "localhost",
    "private",
    "test",
];

impl Reach {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    /// Source: the IANA registry of special-purpose IPv4 addresses.
    fn of_v4(address: Ipv4Addr) -> Self {
        if address == AZURE_WIRE_SERVER || address == ALIBABA_METADATA {
            return Self::Never;
        }
        match address.octets() {
            [127, ..] => Self::Loopback,
            // 0.0.0.0 is this machine in disguise; 224 and up are groups and reserved.
            [0 | 224..=255, ..] | [169, 254, ..] => Self::Never,
            [10, ..]
            | [100, 64..=127, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0, _]
            | [192, 168, ..]
            | [198, 18..=19, ..] => Self::Private,
            _ => Self::Public,
        }
    }

    /// Source: the IANA registry of special-purpose IPv6 addresses.
    fn of_v6(address: Ipv6Addr) -> Self {
        let groups = address.segments();
        let [.., a, b] = groups;
        let wrapped = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Self::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match groups {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            AWS_METADATA_V6 => Self::Never,
            // Mapped, translated, compatible; the last includes `::`.
            [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0, 0, 0, 0, 0, 0, ..] => {
                wrapped(a, b)
            }
            // NAT64, of the world and of one network.
            [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => wrapped(a, b),
            // 6to4 and Teredo, the latter inverted.
            [0x2002, high, low, ..] => wrapped(high, low),
            [0x2001, 0, ..] => wrapped(!a, !b),
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Self::Private,
            // Link-local, groups, discarded.
            [0xfe80..=0xfebf, ..] | [0xff00..=0xffff, ..] | [0x100, 0, 0, 0, ..] => Self::Never,
            _ => Self::Public,
        }
    }
}

/// Serves virtual machines their configuration under an address that looks public.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// Lies in the range of carriers, which is private otherwise.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// `fd00:ec2::254`, in a range that is private otherwise.
const AWS_METADATA_V6: [u16; 8] = [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_by_where_they_lie() {
        for (reach, addresses) in [
            (
                Reach::Loopback,
                &[
                    "127.0.0.1",
                    "127.9.9.9",
                    "::1",
                    "::ffff:127.0.0.1",
                    "::127.0.0.1",
                    "64:ff9b::7f00:1",
                    "2002:7f00:1::",
                    "2001:0:1:2:3:4:80ff:fffe",
                ][..],
            ),
            (
                Reach::Private,
                &[
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "198.18.0.1",
                    "fd12:3456::1",
                    "fc00::1",
                    "fec0::1",
                    "::ffff:10.0.0.1",
                    "2002:a00:1::1",
                    "::ffff:0:192.168.0.1",
                ],
            ),
            (
                Reach::Never,
                &[
                    "169.254.169.254",
                    "169.254.0.1",
                    "0.0.0.0",
                    "0.1.2.3",
                    "224.0.0.1",
                    "255.255.255.255",
                    "240.0.0.1",
                    "100.100.100.200",
                    "168.63.129.16",
                    "::",
                    "fe80::1",
                    "febf::1",
                    "ff02::1",
                    "fd00:ec2::254",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::",
                    "64:ff9b:1::a9fe:a9fe",
                    "100::1",
                ],
            ),
            (
                Reach::Public,
                &[
                    "1.1.1.1",
                    "172.32.0.1",
                    "172.15.0.1",
                    "100.63.0.1",
                    "100.128.0.1",
                    "192.0.1.1",
                    "168.63.129.17",
                    "2606:4700::1111",
                    "::ffff:1.1.1.1",
                    "64:ff9b::101:101",
                    "2002:101:101::1",
                    "126.255.255.255",
                    "128.0.0.1",
                    "169.253.0.1",
                    "223.255.255.255",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }

    #[test]
    fn private_networks_have_to_be_named_unless_the_settings_say_more() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        for (host, named) in [
            ("127.0.0.1", true),
            ("localhost", true),
            ("LOCALHOST.", true),
            ("x.localhost", true),
            ("gateway", true),
            ("openclaw.lan", true),
            ("a.b.home.arpa", true),
            ("example.org", false),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org", false),
            ("lan.example.org", false),
            ("notlocalhost.org", false),
        ] {
            assert_eq!(
                PrivateHooks::Named.check(host, loopback).is_ok(),
                named,
                "{host}"
            );
            assert_eq!(PrivateHooks::Allowed.check(host, loopback), Ok(()));
            let refused = PrivateHooks::Refused.check(host, loopback);
            assert_eq!(refused, Err(Refused::Private(loopback)));
            let public = "1.1.1.1".parse().unwrap();
            assert_eq!(PrivateHooks::Refused.check(host, public), Ok(()));
            for never in ["169.254.169.254", "fe80::1", "0.0.0.0"] {
                let never = never.parse().unwrap();
                let refused = PrivateHooks::Allowed.check(host, never);
                assert_eq!(refused, Err(Refused::Never(never)), "{host}");
            }
        }
    }

    #[test]
    fn an_address_that_hides_where_it_leads_is_refused() {
        for host in [
            "0x7f.1",
            "127.1",
            "2130706433",
            "0177.0.0.1",
            "0x7f000001",
            "127.0.0.1.",
            "1",
            "a.0xa",
            "[fe80::1%25eth0]",
            "",
        ] {
            // The last dot makes an address a name for the parser, and an address for resolvers.
            assert_eq!(
                PrivateHooks::Allowed.check_host(host),
                Err(Refused::OddNumber),
                "{host}"
            );
        }
        for host in [
            "127.0.0.1",
            "[::1]",
            "localhost",
            "example.org",
            "1password.com",
            "a.0b",
        ] {
            assert_eq!(PrivateHooks::Named.check_host(host), Ok(()), "{host}");
        }
    }
}
