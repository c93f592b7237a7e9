//! What stands at this moment, read when somebody asks for it.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

/// Values of one moment.
#[derive(Debug)]
pub struct Gauges(Registry);

type Level = Gauge<f64, AtomicU64>;

impl Default for Gauges {
    fn default() -> Self {
        Self(Registry::with_prefix("dispatch"))
    }
}

impl Gauges {
    pub fn set(&mut self, name: &'static str, help: &'static str, value: f64) {
        let gauge = Level::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    /// One value for each value of a label; none are no gauge at all.
    pub fn set_each(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, f64)>,
    ) {
        let family = Family::<[(&'static str, String); 1], Level>::default();
        for (of, value) in values {
            family.get_or_create(&[(label, of)]).set(value);
        }
        self.0.register(name, help, family);
    }

    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.0)?;
        Ok(text)
    }
}
