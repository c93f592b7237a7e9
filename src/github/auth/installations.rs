//! On which accounts a GitHub App is installed, as the operator says.

use std::{fmt, str::FromStr};

/// The number of an installation, as in the address of its settings page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallationId(pub u64);

/// Installations by owner, with at most one for all other owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installations {
    pub(super) by_owner: Vec<(String, InstallationId)>,
    pub(super) default: Option<InstallationId>,
}

impl FromStr for Installations {
    type Err = String;

    /// One number, or `owner:number` pairs separated by commas or newlines with at most one bare number. No
    /// error repeats the text: somebody may have put the key there.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        for (n, entry) in entries.enumerate() {
            read.add(entry).map_err(|fault| format!("entry {} {fault}", n + 1))?;
        }
        if read == Self::default() {
            return Err("it names no installation".to_owned());
        }
        Ok(read)
    }
}

impl fmt::Display for Installations {
    /// The accounts, as far as they are named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<&str> = self.by_owner.iter().map(|(owner, _)| owner.as_str()).collect();
        match (named.as_slice(), self.default) {
            ([], Some(InstallationId(id))) => write!(f, "installation {id}"),
            (_, None) => f.write_str(&named.join(", ")),
            (_, Some(InstallationId(id))) => write!(f, "{}, others by installation {id}", named.join(", ")),
        }
    }
}

impl Installations {
    fn add(&mut self, entry: &str) -> Result<(), &'static str> {
        let Some((owner, id)) = entry.split_once(':') else {
            let before = self.default.replace(number(entry)?);
            return before.map_or(Ok(()), |_| {
                Err("is a second number without owner; at most one may stand for all other owners")
            });
        };
        let (owner, id) = (owner.trim(), number(id)?);
        let owner_char = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if owner.is_empty() || owner.len() > 39 || !owner.bytes().all(owner_char) {
            return Err("has no account name before its colon (1 to 39 letters, digits or '-')");
        }
        match self.by_owner.iter().find(|(known, _)| known.eq_ignore_ascii_case(owner)) {
            None => self.by_owner.push((owner.to_owned(), id)),
            Some((_, known)) if *known == id => {}
            Some(_) => {
                return Err("names an owner that has another installation already; an account has one");
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<InstallationId, &'static str> {
    let id = text.trim().parse().ok().filter(|&id| id > 0);
    id.map(InstallationId).ok_or("is neither a number nor owner:number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_installations_and_others_a_default() {
        let read = |text: &str| text.parse::<Installations>().map(|it| (it.by_owner, it.default));
        let one = |owner: &str, id| (owner.to_owned(), InstallationId(id));
        assert_eq!(read(" 42\n"), Ok((vec![], Some(InstallationId(42)))));
        assert_eq!(read("Acme:1, beta : 2\n3,acme:1,"), {
            Ok((vec![one("Acme", 1), one("beta", 2)], Some(InstallationId(3))))
        });
        let shown = |text: &str| text.parse::<Installations>().unwrap().to_string();
        assert_eq!((shown("42"), shown("a:1,b:2")), ("installation 42".to_owned(), "a, b".to_owned()));
        assert_eq!(shown("a:1,2"), "a, others by installation 2");
        for bad in ["", ",", "x", "0", "-1", "1,2", "acme:", ":1", "a b:1", "acme:1,ACME:2", "acme:x"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
