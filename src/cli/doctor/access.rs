//! The tokens that callers show: is there one for a maintainer, and are they long enough.

use secrecy::ExposeSecret as _;

use super::{
    database::Seen,
    report::{Check, Line, Report},
};
use crate::{
    config::{Database, Draft},
    domain::access::Tier,
};

/// Shorter ones can be guessed by trying.
const LEAST: usize = 20;

pub fn check(draft: &Draft, seen: &Seen, report: &mut Report) {
    let is_maintainer = |tier: &Tier| *tier == Tier::Maintainer;
    let configured = draft.tokens.iter().any(|(_, tier)| is_maintainer(tier));
    report.add(match (configured, seen.has_maintainer, has_place(draft)) {
        (true, ..) => Line::ok(Check::Tokens, "a maintainer's token is configured"),
        (false, Some(true), _) => Line::ok(Check::Tokens, "an earlier start made a maintainer's token"),
        (false, _, true) => Line::ok(
            Check::Tokens,
            "none is configured for a maintainer; the first start makes one and leaves it in the data directory",
        ),
        (false, _, false) => Line::error(
            Check::Tokens,
            "none is configured for a maintainer, and there is no data directory to leave one in",
            "set DISPATCH_AGENT_TOKEN, or DISPATCH_DATA_DIR to a directory that is there",
        ),
    });
    let short = |maintainer: bool| {
        let of_kind = draft.tokens.iter().filter(|(_, tier)| is_maintainer(tier) == maintainer);
        of_kind.filter(|(token, _)| token.expose_secret().len() < LEAST).count()
    };
    for (maintainer, whose) in [(true, "maintainer"), (false, "worker")] {
        let count = short(maintainer);
        if count > 0 {
            let what =
                format!("{count} {whose} token(s) shorter than {LEAST} characters, which can be guessed");
            report.add(Line::warning(Check::Tokens, what, "make them with `openssl rand -hex 32`"));
        }
    }
}

/// Can the first start leave a token in the data directory? It makes none but SQLite's.
fn has_place(draft: &Draft) -> bool {
    let Some(directory) = &draft.data_dir else { return false };
    let is_made = match &draft.database {
        Some(Database::Sqlite { directory: of_file, .. }) => of_file == directory,
        Some(Database::Postgres { .. }) => false,
        // What is wrong there is said elsewhere.
        None => true,
    };
    is_made || directory.is_dir()
}

#[cfg(test)]
mod tests {
    use super::{super::report::Status, *};
    use crate::config::Settings;

    #[test]
    fn somebody_must_be_able_to_get_in() {
        let mut draft = Draft::read(&Settings::default());
        let status = |draft: &Draft, has_maintainer| {
            let mut report = Report::default();
            check(draft, &Seen { has_maintainer, ..Seen::default() }, &mut report);
            report.worst()
        };
        draft.database = None;
        draft.data_dir = Some("/data".into());
        assert_eq!((status(&draft, None), status(&draft, Some(false))), (Status::Ok, Status::Ok));
        draft.data_dir = None;
        assert_eq!((status(&draft, Some(true)), status(&draft, None)), (Status::Ok, Status::Error));
        draft.tokens = vec![("0123456789012345678x".into(), Tier::Maintainer)];
        assert_eq!(status(&draft, None), Status::Ok);
        draft.tokens.push(("short".into(), Tier::UnboundWorker));
        assert_eq!(status(&draft, None), Status::Warning);
    }
}
