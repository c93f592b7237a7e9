//! What a person sets for this browser: light or dark.

use axum::response::Response;

use super::{frame::Theme, operator::VisitorsForm, refusal::PageResult};
use crate::http::{error::ApiError, sign_in::cookies};

/// So long a browser remembers it.
const YEAR: u64 = 365 * 24 * 3_600;

/// Light, dark, or as the system has it.
pub async fn choose_theme(sent: VisitorsForm) -> PageResult<Response> {
    let VisitorsForm { frame, form, .. } = sent;
    let theme = Theme::named(form.needed("theme")?)
        .ok_or_else(|| ApiError::invalid("theme", "theme must be system, light or dark"))?;
    Ok(frame.lead_with(form.back(), cookies::THEME, theme.word(), Some(YEAR)))
}
