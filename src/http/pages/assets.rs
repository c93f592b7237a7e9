//! The stylesheet and the scripts, under names that change with what is in them.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::refusal::{PageResult, not_found};
use crate::domain::digest::{hex, sha256};

const YEAR: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

struct Asset {
    stem: &'static str,
    extension: &'static str,
    kind: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 4] = [
    Asset {
        stem: "app",
        extension: "css",
        kind: "text/css; charset=utf-8",
        text: include_str!("../../../assets/app.css"),
    },
    Asset {
        stem: "app",
        extension: "js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../../assets/app.js"),
    },
    Asset {
        stem: "board",
        extension: "js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../../assets/board.js"),
    },
    Asset {
        stem: "icon",
        extension: "svg",
        kind: "image/svg+xml",
        text: include_str!("../../../assets/icon.svg"),
    },
];

/// Where pages load them from.
pub struct Names {
    pub style: String,
    pub script: String,
    /// What the page of the board needs besides.
    pub board: String,
    pub icon: String,
}

/// The names for this program's assets.
pub static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let [style, script, board, icon] = ASSETS.map(|asset| format!("/assets/{}", file_of(&asset)));
    Names { style, script, board, icon }
});

fn file_of(asset: &Asset) -> String {
    let Asset { stem, extension, text, .. } = asset;
    format!("{stem}-{}.{extension}", &hex(&sha256(text))[..12])
}

pub async fn serve(Path(file): Path<String>) -> PageResult<Response> {
    let asset = ASSETS.iter().find(|asset| file_of(asset) == file).ok_or_else(not_found)?;
    let kind = HeaderValue::from_static(asset.kind);
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, YEAR)], asset.text).into_response())
}
