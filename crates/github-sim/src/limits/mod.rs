//! Primary and secondary limits
//! (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).

mod window;

use std::collections::HashMap;

use crate::access::Caller;
use crate::config::SimConfig;
use window::Window;

/// The primary window; it starts with a caller's first request.
const HOUR_S: i64 = 3_600;

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The hour's quota is spent.
    Primary,
    /// Too many points, requests at once, or new content.
    Secondary,
}

/// What a request weighs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    /// 1 for GET, HEAD and OPTIONS, 5 for the rest.
    pub points: u32,
    /// Whether it makes an issue or a comment.
    pub makes_content: bool,
    /// Whether it is answered also when the hour's quota is spent.
    pub is_free: bool,
}

/// A caller's primary limit, as the `x-ratelimit-*` headers show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub limit: u32,
    pub used: u32,
    pub reset_s: i64,
}

impl Standing {
    pub fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

#[derive(Debug)]
struct Allowance {
    hour_started_s: Option<i64>,
    used: u32,
    under_way: u32,
    points: Window,
    content_minute: Window,
    content_hour: Window,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            hour_started_s: None,
            used: 0,
            under_way: 0,
            points: Window::new(60),
            content_minute: Window::new(60),
            content_hour: Window::new(HOUR_S),
        }
    }
}

/// Every caller's allowance.
#[derive(Debug)]
pub(crate) struct Limits {
    hourly_quota: Option<u32>,
    anonymous_quota: u32,
    points_per_minute: Option<u32>,
    max_concurrent: Option<u32>,
    content_per_minute: Option<u32>,
    content_per_hour: Option<u32>,
    callers: HashMap<String, Allowance>,
}

impl Limits {
    pub fn new(config: &SimConfig) -> Self {
        Self {
            hourly_quota: config.hourly_quota,
            anonymous_quota: config.anonymous_quota,
            points_per_minute: config.points_per_minute,
            max_concurrent: config.max_concurrent,
            content_per_minute: config.content_per_minute,
            content_per_hour: config.content_per_hour,
            callers: HashMap::new(),
        }
    }

    /// Counts a request as under way until `leave`.
    pub fn enter(&mut self, caller: &Caller) {
        self.allowance(caller).under_way += 1;
    }

    pub fn leave(&mut self, caller: &Caller) {
        let allowance = self.allowance(caller);
        allowance.under_way = allowance.under_way.saturating_sub(1);
    }

    /// Lets a request in and takes its points, or says why not; a refused request costs nothing.
    pub fn admit(&mut self, caller: &Caller, weight: Weight, now_s: i64) -> Result<(), Refusal> {
        if !weight.is_free && self.standing(caller, now_s).remaining() == 0 {
            return Err(Refusal::Primary);
        }
        let (points, at_once) = (self.points_per_minute, self.max_concurrent);
        let (per_minute, per_hour) = (self.content_per_minute, self.content_per_hour);
        let allowance = self.allowance(caller);
        let content = u32::from(weight.makes_content);
        let fits = allowance.points.fits(weight.points, points, now_s)
            && at_once.is_none_or(|most| allowance.under_way <= most)
            && allowance.content_minute.fits(content, per_minute, now_s)
            && allowance.content_hour.fits(content, per_hour, now_s);
        if !fits {
            return Err(Refusal::Secondary);
        }
        allowance.points.add(weight.points, now_s);
        allowance.content_minute.add(content, now_s);
        allowance.content_hour.add(content, now_s);
        Ok(())
    }

    /// Takes one request off the hour's quota.
    pub fn spend(&mut self, caller: &Caller, now_s: i64) {
        let allowance = self.allowance(caller);
        match allowance.hour_started_s {
            Some(start) if now_s < start + HOUR_S => allowance.used += 1,
            _ => {
                allowance.hour_started_s = Some(now_s);
                allowance.used = 1;
            }
        }
    }

    pub fn standing(&self, caller: &Caller, now_s: i64) -> Standing {
        let limit = match caller {
            Caller::Anonymous => self.anonymous_quota,
            Caller::Token { .. } | Caller::Installation { .. } | Caller::App { .. } => {
                self.hourly_quota.unwrap_or(u32::MAX)
            }
        };
        let (start, used) = match self.callers.get(&caller.limit_key()) {
            Some(Allowance { hour_started_s: Some(start), used, .. }) if now_s < start + HOUR_S => {
                (*start, *used)
            }
            _ => (now_s, 0),
        };
        Standing { limit, used, reset_s: start + HOUR_S }
    }

    fn allowance(&mut self, caller: &Caller) -> &mut Allowance {
        self.callers.entry(caller.limit_key()).or_default()
    }
}
