//! The audit log: filtered, and as a file: `/audit`.

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;

use super::{
    frame::{Frame, Theme},
    list::{self, Paging, ROWS, TimeField, forgiven, span},
    operator::Operator,
    refusal::PageResult,
};
use crate::{
    domain::{
        audit::{AuditFilter, AuditRow},
        page::{Cursor, Page},
    },
    http::{
        App,
        api::audit::{self as api, AuditOut},
        error::{ApiError, ApiResult},
        export,
        params::Params,
    },
    store::audit,
};

/// Rows that an export reads at once, and at most altogether.
const EXPORT_PAGE: i64 = 1_000;
const EXPORT_PAGES: usize = 200;

/// The filters as they stand in the address.
struct Asked<'a> {
    actor: &'a str,
    agent: &'a str,
    action: &'a str,
    repo: &'a str,
    issue: &'a str,
    from: TimeField<'a>,
    to: TimeField<'a>,
}

impl<'a> Asked<'a> {
    fn of(params: &'a Params) -> Self {
        let text = |name: &str| params.text(name).unwrap_or_default();
        Self {
            actor: text("actor"),
            agent: text("agent"),
            action: text("action"),
            repo: text("repo"),
            issue: text("issue"),
            from: TimeField::of(params, "from"),
            to: TimeField::of(params, "to"),
        }
    }

    fn pairs(&self) -> [(&'static str, &'a str); 7] {
        [
            ("actor", self.actor),
            ("agent", self.agent),
            ("action", self.action),
            ("repo", self.repo),
            ("issue", self.issue),
            ("from", self.from.text),
            ("to", self.to.text),
        ]
    }

    fn narrows(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
    }

    /// Where the same rows are as a file.
    fn export(&self, format: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("format", format);
        query.extend_pairs(self.pairs().iter().filter(|(_, value)| !value.is_empty()));
        format!("/audit/export?{}", query.finish())
    }
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct Log<'a> {
    frame: &'a Frame,
    asked: Asked<'a>,
    fault: Option<ApiError>,
    rows: Vec<AuditRow>,
    paging: Paging,
}

impl Log<'_> {
    /// Labels that came and went.
    fn edits(&self, row: &AuditRow) -> Vec<String> {
        let (before, after) = (&row.entry.before, &row.entry.after);
        let gone = before.iter().filter(|label| !after.contains(label)).map(|label| format!("− {label}"));
        let come = after.iter().filter(|label| !before.contains(label)).map(|label| format!("+ {label}"));
        gone.chain(come).collect()
    }

    fn is_repo(&self, row: &AuditRow) -> bool {
        row.entry.repo.contains('/')
    }
}

/// Decisions, newest first.
pub async fn show(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let (page, fault) = forgiven(read(&app, &params).await)?;
    let (frame, paging) = (&operator.frame, Paging::of(&params, &page));
    let status = fault.as_ref().map(ApiError::status);
    list::show(frame, &Log { frame, asked: Asked::of(&params), fault, rows: page.rows, paging }, status)
}

async fn read(app: &App, params: &Params) -> ApiResult<Page<AuditRow>> {
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read().await?;
    let filter = api::filter(&mut tx, params, span(params)?).await?;
    Ok(audit::list(&mut tx, &filter, cursor.as_ref(), ROWS).await?)
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Lines,
}

/// The rows that fit, as a file that is read and sent piece by piece: the newest 200 000 at most.
pub async fn export(State(app): State<App>, _: Operator, params: Params) -> PageResult<Response> {
    let format = match params.text("format") {
        Some("csv") => Format::Csv,
        Some("jsonl") => Format::Lines,
        _ => return Err(ApiError::invalid("format", "format must be csv or jsonl").into()),
    };
    let mut tx = app.engine.db().read().await?;
    let filter = api::filter(&mut tx, &params, span(&params)?).await?;
    drop(tx);
    let start = Some(Place { filter, cursor: None, pages: 0 });
    let pieces = stream::try_unfold((app, start), move |(app, place)| async move {
        let Some(place) = place else { return Ok(None) };
        let (piece, next) = piece(&app, place, format).await?;
        Ok::<_, ApiError>(Some((piece, (app, next))))
    });
    let body = Body::from_stream(futures_util::TryStreamExt::map_err(pieces, |error| {
        error.log();
        std::io::Error::other("the rows could not be read to their end")
    }));
    let (kind, file) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        Format::Lines => ("application/x-ndjson", "attachment; filename=\"audit.jsonl\""),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(file)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, body).into_response())
}

/// Where an export stands.
struct Place {
    filter: AuditFilter,
    cursor: Option<Cursor>,
    pages: usize,
}

async fn piece(app: &App, place: Place, format: Format) -> Result<(Vec<u8>, Option<Place>), ApiError> {
    let Place { filter, cursor, pages } = place;
    let mut tx = app.engine.db().read().await?;
    let Page { rows, next } = api::read(&mut tx, &filter, cursor.as_ref(), EXPORT_PAGE).await?;
    drop(tx);
    let written =
        |row: AuditOut| serde_json::to_value(row).map_err(|error| ApiError::internal(error.to_string()));
    let rows: Vec<_> = rows.into_iter().map(written).collect::<Result<_, _>>()?;
    let piece = match format {
        Format::Csv => {
            export::csv(&rows, pages == 0).map_err(|error| ApiError::internal(error.to_string()))?
        }
        Format::Lines => export::jsonl(&rows),
    };
    let goes_on = next.filter(|_| pages + 1 < EXPORT_PAGES);
    let next = goes_on.map(|cursor| Place { filter, cursor: Some(cursor), pages: pages + 1 });
    Ok((piece, next))
}
