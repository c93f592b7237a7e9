//! A sum over the last so many seconds.

use std::collections::VecDeque;

/// Adds up what happened within a sliding span, to the second.
#[derive(Debug)]
pub(crate) struct Window {
    span_s: i64,
    seconds: VecDeque<(i64, u32)>,
    sum: u32,
}

impl Window {
    pub fn new(span_s: i64) -> Self {
        Self { span_s, seconds: VecDeque::new(), sum: 0 }
    }

    /// Whether `amount` more stays within `limit`; nothing always fits.
    pub fn fits(&mut self, amount: u32, limit: Option<u32>, now_s: i64) -> bool {
        self.forget(now_s);
        amount == 0 || limit.is_none_or(|limit| self.sum.saturating_add(amount) <= limit)
    }

    pub fn add(&mut self, amount: u32, now_s: i64) {
        if amount == 0 {
            return;
        }
        self.forget(now_s);
        self.sum = self.sum.saturating_add(amount);
        match self.seconds.back_mut() {
            Some((second, sum)) if *second == now_s => *sum = sum.saturating_add(amount),
            _ => self.seconds.push_back((now_s, amount)),
        }
    }

    fn forget(&mut self, now_s: i64) {
        while let Some(&(second, amount)) = self.seconds.front() {
            if now_s - second < self.span_s {
                break;
            }
            self.sum = self.sum.saturating_sub(amount);
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_span_no_longer_counts() {
        let mut window = Window::new(60);
        window.add(3, 100);
        window.add(2, 130);
        assert!(window.fits(1, Some(6), 159));
        assert!(!window.fits(2, Some(6), 159));
        assert!(window.fits(4, Some(6), 160));
        assert!(window.fits(6, Some(6), 190));
    }
}
