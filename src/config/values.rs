//! Reading single values, with the variable, the fault and an example in every refusal.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use super::ConfigError;

/// A value without white space around it; an empty one counts as unset.
pub fn given(value: Option<&String>) -> Option<&str> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// One variable.
pub struct Reader<'v> {
    variable: &'static str,
    value: Option<&'v str>,
    example: &'static str,
}

impl<'v> Reader<'v> {
    pub fn new(variable: &'static str, value: Option<&'v String>, example: &'static str) -> Self {
        Self { variable, value: given(value), example }
    }

    pub fn fault(&self, fault: String) -> ConfigError {
        ConfigError { variable: self.variable, fault, example: self.example }
    }

    pub fn parse<T: FromStr>(&self, rule: &str) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.value else { return Ok(None) };
        value.parse().map(Some).map_err(|_| self.fault(format!("{value:?} is {rule}")))
    }

    pub fn number<T>(&self, range: RangeInclusive<T>) -> Result<Option<T>, ConfigError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let number = self.parse("not a whole number")?;
        match number {
            Some(number) if !range.contains(&number) => {
                Err(self.fault(format!("{number} is not between {} and {}", range.start(), range.end())))
            }
            number => Ok(number),
        }
    }
}

/// The longest time that can be set, so that arithmetic with it stays far from any edge.
const YEAR_MS: u64 = 366 * 24 * 3_600 * 1_000;

/// A time in milliseconds.
pub fn millis(
    variable: &'static str,
    value: Option<&String>,
    least: u64,
    default: u64,
) -> Result<Duration, ConfigError> {
    let number = Reader::new(variable, value, "60000").number(least..=YEAR_MS)?;
    Ok(Duration::from_millis(number.unwrap_or(default)))
}

/// `true` or `false`.
pub fn boolean(variable: &'static str, value: Option<&String>, default: bool) -> Result<bool, ConfigError> {
    match given(value) {
        None => Ok(default),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => {
            let fault = format!("{other:?} is neither true nor false");
            Err(ConfigError { variable, fault, example: "false" })
        }
    }
}

/// A time in days, at least one.
pub fn days(variable: &'static str, value: Option<&String>, default: u64) -> Result<Duration, ConfigError> {
    let number = Reader::new(variable, value, "30").number(1..=36_500)?;
    Ok(Duration::from_secs(number.unwrap_or(default) * 24 * 3_600))
}
