//! How a form ends: back where it stood, with a sentence about what it came to.

use axum::response::Response;

use super::{
    flash::Flash,
    frame::Frame,
    operator::{Form, Order},
    refusal::PageResult,
};
use crate::{domain::access::Caller, http::error::ApiResult};

/// Who sent a form, and what it holds.
pub struct Sent {
    pub caller: Caller,
    pub form: Form,
    frame: Frame,
}

impl From<Order> for Sent {
    fn from(order: Order) -> Self {
        let Order { caller, frame, form, .. } = order;
        Self { caller, form, frame }
    }
}

impl Sent {
    /// Leads back to the form's page. What was refused is told there; a fault of ours has a page of its own.
    pub fn end(&self, outcome: ApiResult<String>) -> PageResult<Response> {
        let flash = match outcome {
            Ok(text) => Flash::done(text),
            Err(error) if error.status().is_server_error() => return Err(error.into()),
            Err(error) => Flash::failed(error.told()),
        };
        Ok(self.frame.lead_to(self.form.back(), &flash))
    }
}
