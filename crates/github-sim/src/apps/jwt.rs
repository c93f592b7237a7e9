//! JSON web tokens as GitHub takes them from Apps
//! (docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// A token may end this far in the future.
const LONGEST_S: i64 = 600;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Not a JSON web token by RS256, or by another key.
    Undecodable,
    /// `iss` names no App.
    UnknownApp,
    /// `iat` is missing or in the future.
    IssuedAt,
    /// `exp` is missing or past.
    Expired,
    /// `exp` is more than 10 minutes ahead.
    TooFar,
}

/// A token whose signature nobody looked at yet.
pub(super) struct Parsed<'t> {
    pub issuer: String,
    /// Header and claims, as they were signed.
    pub signed: &'t str,
    pub signature: Vec<u8>,
    issued_at: Option<i64>,
    expires_at: Option<i64>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: Value,
    iat: Option<Value>,
    exp: Option<Value>,
}

pub(super) fn parse(token: &str) -> Result<Parsed<'_>, Flaw> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Undecodable)?;
    let (header, claims) = signed.split_once('.').ok_or(Flaw::Undecodable)?;
    let header: Header = part(header)?;
    let Claims { iss, iat, exp } = part(claims)?;
    if header.alg != "RS256" {
        return Err(Flaw::Undecodable);
    }
    let issuer = match iss {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(Flaw::UnknownApp),
    };
    let second = |value: Option<Value>| value.as_ref().and_then(Value::as_i64);
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Flaw::Undecodable)?;
    Ok(Parsed { issuer, signed, signature, issued_at: second(iat), expires_at: second(exp) })
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Flaw> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| Flaw::Undecodable)?;
    serde_json::from_slice(&json).map_err(|_| Flaw::Undecodable)
}

impl Parsed<'_> {
    pub fn check_times(&self, now_s: i64) -> Result<(), Flaw> {
        let expires_at = self.expires_at.filter(|&at| at > now_s).ok_or(Flaw::Expired)?;
        if expires_at > now_s + LONGEST_S {
            return Err(Flaw::TooFar);
        }
        self.issued_at.filter(|&at| at <= now_s).map(drop).ok_or(Flaw::IssuedAt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(issued_at: Option<i64>, expires_at: Option<i64>) -> Result<(), Flaw> {
        let (issuer, signature) = (String::new(), Vec::new());
        Parsed { issuer, signed: "", signature, issued_at, expires_at }.check_times(1_000)
    }

    #[test]
    fn times_are_held_to_ten_minutes() {
        assert_eq!(times(Some(940), Some(1_600)), Ok(()));
        assert_eq!(times(Some(1_000), Some(1_001)), Ok(()));
        assert_eq!(times(Some(940), Some(1_601)), Err(Flaw::TooFar));
        assert_eq!(times(Some(940), Some(1_000)), Err(Flaw::Expired));
        assert_eq!(times(Some(940), None), Err(Flaw::Expired));
        assert_eq!(times(Some(1_001), Some(1_500)), Err(Flaw::IssuedAt));
        assert_eq!(times(None, Some(1_500)), Err(Flaw::IssuedAt));
    }

    #[test]
    fn what_is_no_rs256_token_is_not_decoded() {
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let token = |header: &str, claims: &str| format!("{}.{}.AAAA", encode(header), encode(claims));
        let claims = r#"{"iss":7,"iat":1,"exp":2}"#;
        assert_eq!(
            parse(&token(r#"{"alg":"RS256"}"#, claims)).ok().map(|it| it.issuer),
            Some("7".to_owned())
        );
        for bad in [token(r#"{"alg":"none"}"#, claims), token(r#"{"alg":"RS256"}"#, "{}"), "a.b.c".to_owned()]
        {
            assert_eq!(parse(&bad).err(), Some(Flaw::Undecodable), "{bad}");
        }
    }
}
