//! `/api/issues/{issueId}/lane` (`contract/agents.md` 8.3).

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        lane::{Classification, Confidence},
        time::Timestamp,
    },
    engine::lanes::{self, Classified, LaneAsk, Standing},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::{Fields, OptionalFields},
        params::IssueInPath,
    },
    store::lanes::Judged,
};

/// Reasons are cut to so many characters.
const REASON_MAX: usize = 500;

/// The longest name of a model.
const MODEL_MAX: usize = 200;

/// What puts an issue into a lane.
#[derive(ToSchema)]
#[schema(as = LaneBody)]
pub struct LaneBody {
    /// A judgement; without it, the rule judges an issue that was not judged before.
    pub classification: Option<JudgementBody>,
    /// Lets the rule judge although the issue was judged before.
    pub force: Option<bool>,
    /// What judged; `manual` without it.
    #[schema(max_length = 200)]
    pub model: Option<String>,
}

/// A lane with the reason for it.
#[derive(ToSchema)]
#[schema(as = LaneJudgement)]
pub struct JudgementBody {
    /// The id of a configured lane.
    #[schema(examples("local"))]
    pub lane: String,
    pub confidence: Confidence,
    /// Cut to 500 characters.
    #[schema(min_length = 1)]
    pub reason: String,
    /// As `model` beside it.
    #[schema(max_length = 200)]
    pub model: Option<String>,
}

/// What became of the wish for a lane.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LaneSet)]
pub struct ClassifiedOut {
    success: bool,
    lane: String,
    confidence: Confidence,
    reason: String,
    #[schema(required)]
    model: Option<String>,
    /// Only where the issue was judged before, and nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp, required = false)]
    judged_at: Option<Timestamp>,
    /// As `judgedAt`: `force` judges anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    reclassify_available: Option<bool>,
}

impl From<Classified> for ClassifiedOut {
    fn from(classified: Classified) -> Self {
        let (Judged { classification, model, at }, before) = match classified {
            Classified::Stored(judged) => (judged, false),
            Classified::Before(judged) => (judged, true),
        };
        let Classification { lane, confidence, reason } = classification;
        let judged_at = before.then_some(at);
        let reclassify_available = before.then_some(true);
        Self { success: true, lane, confidence, reason, model, judged_at, reclassify_available }
    }
}

/// Puts an issue into a lane.
///
/// The next read of the queue shows it there. The body may be left out.
#[utoipa::path(
    post,
    path = "/api/issues/{issueId}/lane",
    operation_id = "setIssueLane",
    tag = "lanes",
    security(("bearer" = ["maintainer"])),
    params(("issueId" = String, Path, description = "Which issue.")),
    request_body = Option<LaneBody>,
    responses(
        (status = 200, description = "The issue is in the lane, or was judged before.", body = ClassifiedOut),
        (status = 404, description = "No such issue is cached."),
    ),
)]
pub async fn classify(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IssueInPath(issue): IssueInPath,
    OptionalFields(body): OptionalFields,
) -> ApiResult<Json<ClassifiedOut>> {
    let given = body.object("classification")?.map(Fields::of_object);
    let mut model = body.short("model", MODEL_MAX)?;
    let classification = match &given {
        Some(given) => {
            let named = |error: ApiError| error.within("classification");
            model = model.or(given.short("model", MODEL_MAX).map_err(named)?);
            Some(classification(&app, given)?)
        }
        None => None,
    };
    let model = model.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let force = body.boolean("force")?.unwrap_or(false);
    let ask = LaneAsk { issue, classification, model, force };
    Ok(Json(lanes::classify(&app.engine, &caller, &ask).await?.into()))
}

fn classification(app: &App, given: &Fields) -> ApiResult<Classification> {
    let text = |field: &str| -> ApiResult<String> {
        let text = given.string(field).map_err(|error| error.within("classification"))?;
        Ok(text.unwrap_or_default().trim().to_owned())
    };
    let refuse = |field: &str, message: String| ApiError::invalid(format!("classification.{field}"), message);
    let lane = text("lane")?;
    let configured = app.engine.settings().rules.lanes().by_id(&lane);
    let lane = configured
        .map(|lane| lane.id.clone())
        .ok_or_else(|| refuse("lane", format!("invalid lane: {lane}")))?;
    let confidence = text("confidence")?;
    let confidence =
        confidence.parse().map_err(|()| refuse("confidence", format!("invalid confidence: {confidence}")))?;
    let reason: String = text("reason")?.chars().take(REASON_MAX).collect();
    if reason.is_empty() {
        return Err(refuse("reason", "reason is required and must be non-empty".to_owned()));
    }
    Ok(Classification { lane, confidence, reason })
}

/// Where an issue belongs, and why.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LaneOfIssue)]
pub struct LaneOut {
    lane: String,
    #[schema(required)]
    confidence: Option<Confidence>,
    reason: String,
    #[schema(required)]
    model: Option<String>,
    #[schema(required)]
    judged_at: Option<Timestamp>,
}

/// Reads the newest judgement of an issue's lane.
///
/// Without one, the lane that the issue belongs to all the same.
#[utoipa::path(
    get,
    path = "/api/issues/{issueId}/lane",
    operation_id = "getIssueLane",
    tag = "lanes",
    security(("bearer" = ["maintainer"])),
    params(("issueId" = String, Path, description = "Which issue.")),
    responses(
        (status = 200, description = "The lane.", body = LaneOut),
        (status = 404, description = "No such issue is cached."),
    ),
)]
pub async fn show(
    State(app): State<App>,
    _: Maintainer,
    IssueInPath(issue): IssueInPath,
) -> ApiResult<Json<LaneOut>> {
    Ok(Json(match lanes::standing(&app.engine, &issue).await? {
        Standing::Judged(Judged { classification, model, at }) => LaneOut {
            lane: classification.lane,
            confidence: Some(classification.confidence),
            reason: classification.reason,
            model,
            judged_at: Some(at),
        },
        Standing::Unjudged(lane) => {
            LaneOut { lane, confidence: None, reason: String::new(), model: None, judged_at: None }
        }
    }))
}
