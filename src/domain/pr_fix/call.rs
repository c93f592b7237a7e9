//! Calling a human: what a pull request bears at GitHub while its item is `BLOCKED` (`contract/agents.md` section 10).

use std::fmt::Write as _;

use super::{FixStatus, Item};
use crate::domain::{
    pr_followup::BLOCKED_MARKER,
    quoted::{fenced, in_line, unmarked},
};

/// The label that says that no agent is to be sent there.
pub const NEEDS_HUMAN: &str = "needs-human";
/// So much of a reason is told, in characters.
const REASON_MAX: usize = 300;
/// So much of what somebody noted.
const NOTE_MAX: usize = 4_000;

/// What a change of an item means to its pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// The item is blocked now: the label, and this comment.
    Human(String),
    /// It is blocked no more.
    Over,
}

/// What a change means, with the note that it was made with; nothing unless the item comes to be blocked or ceases to be.
pub fn call(before: Option<&Item>, after: &Item, note: Option<&str>) -> Option<Call> {
    let was = before.is_some_and(|item| item.status == FixStatus::Blocked);
    match (was, after.status == FixStatus::Blocked) {
        (false, true) => Some(Call::Human(text(after, note))),
        (true, false) => Some(Call::Over),
        _ => None,
    }
}

fn text(item: &Item, note: Option<&str>) -> String {
    let mut text = format!(
        "{BLOCKED_MARKER}\n**This pull request needs a human.** Dispatch sends no agent here any more.\n\n\
         - What was to be mended: {}\n- Attempts: {} (generation {})\n",
        in_line(&cut(&item.reason, REASON_MAX).split_whitespace().collect::<Vec<_>>().join(" ")),
        item.fix_attempts,
        item.generation,
    );
    if let Some(note) = note.map(str::trim).filter(|note| !note.is_empty()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "- Why no agent goes on:\n\n{}\n", fenced(&cut(note, NOTE_MAX)));
    }
    let _ = write!(
        text,
        "\nMend it by hand, and mark it as fixed; or give it back to the agents by queueing it again. Both are on the page \
         `/automation/pr-fix-queue/{0}/{1}` of Dispatch; `POST /api/pr-fix-queue/requeue` with \
         `{{\"repo\":\"{0}\",\"pr\":{1}}}` queues it again, too. Then, or when the pull request is merged or closed, Dispatch \
         takes away this comment and the label `{NEEDS_HUMAN}`. Taking away the label by hand is fine, and queues nothing.",
        item.repo, item.pr,
    );
    text
}

fn cut(text: &str, max: usize) -> String {
    let mut short: String = unmarked(text).chars().take(max).collect();
    if text.chars().count() > max {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::PrFixId,
        outbox::TEXT_MAX,
        pr_fix::enqueue::{Evidence, first},
        pr_fix::{FixLane, FixType},
        time::Timestamp,
    };

    fn item(status: FixStatus, reason: &str) -> Item {
        let evidence = Evidence {
            repo: "acme/api".parse().unwrap(),
            pr: crate::domain::ids::IssueNumber(7),
            reason: reason.to_owned(),
            feedback: String::new(),
            key: "k".to_owned(),
            lane: FixLane::Normal,
            kind: FixType::Other,
            issue: None,
            branch: None,
            url: None,
            title: None,
            head_sha: None,
            author: None,
        };
        let item = first(PrFixId("1".to_owned()), &evidence, false, Timestamp(0));
        Item { status, ..item }
    }

    #[test]
    fn only_coming_and_going_mean_something() {
        for before in [None].into_iter().chain(FixStatus::ALL.map(Some)) {
            for after in FixStatus::ALL {
                let (was, is) = (before == Some(FixStatus::Blocked), after == FixStatus::Blocked);
                let before = before.map(|status| item(status, "red"));
                match call(before.as_ref(), &item(after, "red"), None) {
                    Some(Call::Human(_)) => assert!(!was && is, "{after:?}"),
                    Some(Call::Over) => assert!(was && !is, "{after:?}"),
                    None => assert_eq!(was, is, "{after:?}"),
                }
            }
        }
    }

    #[test]
    fn a_call_says_why_and_what_to_do_and_mentions_nobody() {
        let blocked = item(FixStatus::Blocked, "`@mona`\nsaid <!-- ai-pr-reviewer:{} -->");
        let note = "5 of 5 attempts\n```\n@hubot <!-- dispatch:1 -->";
        let Some(Call::Human(text)) = call(None, &blocked, Some(note)) else { panic!("no call") };
        assert!(text.starts_with(BLOCKED_MARKER) && text.matches("<!--").count() == 1, "{text}");
        assert!(text.contains("`'@mona' said <! -- ai-pr-reviewer:{} -->`"), "{text}");
        assert!(
            text.contains("````text\n5 of 5 attempts\n```\n@hubot <! -- dispatch:1 -->\n````\n"),
            "{text}"
        );
        assert!(text.contains("Attempts: 1 (generation 1)"), "{text}");
        assert!(text.contains(r#"{"repo":"acme/api","pr":7}"#), "{text}");
        let Some(Call::Human(bare)) = call(None, &blocked, Some(" ")) else { panic!("no call") };
        assert!(!bare.contains("Why no agent"), "{bare}");
    }

    #[test]
    fn the_longest_call_is_short_enough() {
        let blocked = item(FixStatus::Blocked, &"ä".repeat(9_000));
        let Some(Call::Human(text)) = call(None, &blocked, Some(&"`".repeat(90_000))) else {
            panic!("no call")
        };
        assert!(text.len() < TEXT_MAX && text.contains('…'), "{}", text.len());
    }
}
