//! Answer bodies: whole, cut short, or slow.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

/// Time for the half that is sent to leave before the connection is cut.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

/// A body whose end may be an error, which cuts the connection.
pub(crate) type AnswerBody = BoxBody<Bytes, io::Error>;

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Whole,
    Truncated,
    Slow { chunk: usize, every: Duration },
}

impl Manner {
    /// The body to send; `Content-Length` must already promise all of it.
    pub fn body(self, bytes: Bytes) -> AnswerBody {
        match self {
            Self::Whole => Full::new(bytes).map_err(|never: Infallible| match never {}).boxed(),
            Self::Truncated => truncated(&bytes),
            Self::Slow { chunk, every } => slow(bytes, chunk.max(1), every),
        }
    }
}

fn truncated(bytes: &Bytes) -> AnswerBody {
    let half = bytes.slice(..bytes.len() / 2);
    let parts = stream::unfold(Some(half), |half| async {
        if let Some(half) = half
            && !half.is_empty()
        {
            return Some((Ok(Frame::data(half)), Some(Bytes::new())));
        }
        tokio::time::sleep(BEFORE_THE_CUT).await;
        Some((Err(io::Error::other("cut by a fault")), None))
    });
    BodyExt::boxed(StreamBody::new(parts))
}

fn slow(bytes: Bytes, chunk: usize, every: Duration) -> AnswerBody {
    let parts = stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(every).await;
        let part = rest.split_to(chunk.min(rest.len()));
        Some((Ok(Frame::data(part)), rest))
    });
    BodyExt::boxed(StreamBody::new(parts))
}
