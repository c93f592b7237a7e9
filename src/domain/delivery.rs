//! Deliveries of GitHub's webhooks: what names one, and what became of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Names a delivery; GitHub sends it again under the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(transparent)]
#[serde(transparent)]
#[schema(
    value_type = String,
    pattern = "^[A-Za-z0-9-]{1,64}$",
    examples("72d3162e-cc78-11e3-81ab-4c9367dc0958")
)]
pub struct DeliveryId(String);

/// Why a text names no delivery.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the id of a delivery has 1 to 64 letters, digits and '-'")]
pub struct NotADeliveryId;

impl DeliveryId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeliveryId {
    type Err = NotADeliveryId;

    fn from_str(text: &str) -> Result<Self, NotADeliveryId> {
        let plain = text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        if text.is_empty() || text.len() > 64 || !plain {
            return Err(NotADeliveryId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Stored, and not yet in the cache.
    Pending,
    Applied,
    /// It means nothing to Dispatch, by a rule.
    Ignored,
    /// Given up after several tries; a read finds what it told of.
    Failed,
}

impl DeliveryState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Applied, Self::Ignored, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

/// Why a text is no state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the state of a delivery is pending, applied, ignored or failed")]
pub struct NotADeliveryState;

impl FromStr for DeliveryState {
    type Err = NotADeliveryState;

    fn from_str(text: &str) -> Result<Self, NotADeliveryState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotADeliveryState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_short() {
        assert_eq!(
            "72d3162e-CC78".parse::<DeliveryId>().map(|id| id.to_string()),
            Ok("72d3162e-CC78".into())
        );
        for bad in ["", "a b", "a\0", "ü", "a~b", "x".repeat(65).as_str()] {
            assert_eq!(bad.parse::<DeliveryId>(), Err(NotADeliveryId), "{bad:?}");
        }
    }

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in DeliveryState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!("Pending".parse::<DeliveryState>(), Err(NotADeliveryState));
    }
}
