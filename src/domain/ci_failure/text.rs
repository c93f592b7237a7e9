//! What an issue about a failing workflow says, and the marker by which it is known again.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Excerpt, Job, Run};
use crate::domain::{
    ids::IssueNumber,
    outbox::NewIssue,
    quoted::{fenced, in_line},
};

const OPENING: &str = "<!-- dispatch-ci-failure:";
const CLOSING: &str = " -->";
/// A title is at most 256 characters at GitHub.
const NAME_MAX: usize = 100;
/// Sends an issue to the lane for harder work.
const ESCALATION: &str = "needs-escalation";

/// What stands at the end of the issue, unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub signature: String,
    /// Not in those of older versions.
    pub workflow: Option<String>,
    pub is_scan: bool,
}

impl Marker {
    fn text(&self) -> String {
        let mut text = format!("{OPENING}{}", self.signature);
        if let Some(workflow) = &self.workflow {
            text.push(':');
            text.push_str(&URL_SAFE_NO_PAD.encode(workflow));
            if self.is_scan {
                text.push_str(":scan");
            }
        }
        text + CLOSING
    }
}

/// The marker of an issue, if it has one.
pub fn find_marker(body: &str) -> Option<Marker> {
    let (_, rest) = body.rsplit_once(OPENING)?;
    let (inside, _) = rest.split_once(CLOSING)?;
    let mut parts = inside.split(':');
    let signature =
        parts.next().filter(|text| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let workflow = parts.next().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    Some(Marker {
        signature: signature.to_owned(),
        workflow: workflow.and_then(|name| String::from_utf8(name).ok()),
        is_scan: parts.next() == Some("scan"),
    })
}

/// A failure, with all that its issue tells.
#[derive(Clone, Copy, Debug)]
pub struct Told<'t> {
    pub run: &'t Run,
    pub branch: &'t str,
    pub job: &'t Job,
    pub excerpt: &'t Excerpt,
    pub signature: &'t str,
    pub is_scan: bool,
    /// The issue that told of it before, and was closed.
    pub before: Option<IssueNumber>,
}

impl Told<'_> {
    /// The issue to be opened.
    pub fn issue(&self, labels: &[String]) -> NewIssue {
        let mut labels = labels.to_vec();
        if self.is_scan && !labels.iter().any(|label| label.eq_ignore_ascii_case(ESCALATION)) {
            labels.push(ESCALATION.to_owned());
        }
        let (workflow, job) = (short(&self.run.workflow), short(&self.job.name));
        let title = format!("CI: {workflow} failing on the default branch ({job})");
        NewIssue { title, body: self.body(), labels }
    }

    fn body(&self) -> String {
        let Self { run, branch, job, excerpt, signature, is_scan, before } = *self;
        let commit: String = run.head_sha.chars().take(12).collect();
        let place = job.url.as_deref().unwrap_or(&run.url);
        let mut body = format!(
            "The workflow {} failed twice in a row on the default branch {}: the job {} of [this run]({}), at commit {}. \
             [Its log]({place}) says:\n\n{}\n",
            code(&run.workflow),
            code(branch),
            code(&job.name),
            run.url,
            code(&commit),
            fenced(&excerpt.shown),
        );
        if is_scan {
            body.push_str("\nThis is a scan. ");
            body.push_str(&scan(&excerpt.findings));
        }
        body.push_str("\nDispatch closes this issue when the workflow succeeds twice.\n");
        if let Some(before) = before {
            // Writing to a string cannot fail.
            let _ = write!(body, "\nIt happened before: #{before}, which was closed.\n");
        }
        let marker =
            Marker { signature: signature.to_owned(), workflow: Some(run.workflow.clone()), is_scan };
        body.push('\n');
        body.push_str(&marker.text());
        body
    }
}

/// What a scan found, and what to do about it.
fn scan(findings: &[String]) -> String {
    let mut text = "Raise the version of what is affected, or say in the scanner's configuration why a finding does not \
                    concern this project; do not turn the scan off.\n"
        .to_owned();
    if !findings.is_empty() {
        text.push_str("\n| finding | about it |\n|---|---|\n");
        for name in findings {
            let _ = writeln!(text, "| {name} | https://nvd.nist.gov/vuln/detail/{name} |");
        }
    }
    text
}

fn code(name: &str) -> String {
    in_line(&short(name))
}

fn short(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn run() -> Run {
        Run {
            id: 1,
            workflow_id: 2,
            workflow: "Build & test".into(),
            success: Some(false),
            url: "https://github.com/acme/api/actions/runs/1".into(),
            head_sha: "0123456789abcdef0123".into(),
            created_at: Timestamp(0),
            is_foreign: false,
        }
    }

    fn told<'t>(run: &'t Run, job: &'t Job, excerpt: &'t Excerpt) -> Told<'t> {
        let signature = "0123456789abcdef";
        Told { run, branch: "main", job, excerpt, signature, is_scan: false, before: None }
    }

    #[test]
    fn an_issue_says_what_failed_and_is_known_again() {
        let job = Job { id: 1, name: "unit".into(), failed: true, url: None };
        let (run, excerpt) = (run(), Excerpt::of("error: ```` @mona fixes #3"));
        let told = Told { before: Some(IssueNumber(12)), ..told(&run, &job, &excerpt) };
        let issue = told.issue(&["type/bug".to_owned()]);
        assert_eq!(issue.title, "CI: Build & test failing on the default branch (unit)");
        assert_eq!(issue.labels, ["type/bug"]);
        assert!(issue.body.contains("`````text\nerror: ```` @mona"), "{}", issue.body);
        assert!(issue.body.contains("#12") && issue.body.contains("`0123456789ab`"));
        let marker = find_marker(&issue.body).unwrap();
        assert_eq!(
            (marker.signature.as_str(), marker.workflow.as_deref()),
            ("0123456789abcdef", Some("Build & test"))
        );
        assert!(issue.body.ends_with(" -->") && !marker.is_scan);
    }

    #[test]
    fn a_scan_lists_what_it_found_and_goes_to_the_harder_lane() {
        let job = Job { id: 1, name: "trivy".into(), failed: true, url: None };
        let (run, excerpt) = (run(), Excerpt::of("CVE-2026-1234 in libx"));
        let issue = Told { is_scan: true, ..told(&run, &job, &excerpt) }.issue(&[]);
        assert_eq!(issue.labels, ["needs-escalation"]);
        assert!(issue.body.contains("| CVE-2026-1234 |") && find_marker(&issue.body).unwrap().is_scan);
    }

    #[test]
    fn markers_of_older_versions_are_read_and_nonsense_is_not() {
        let old = find_marker("x <!-- dispatch-ci-failure:00112233aabbccdd --> y").unwrap();
        assert_eq!((old.signature.as_str(), old.workflow, old.is_scan), ("00112233aabbccdd", None, false));
        for text in ["", "<!-- dispatch-ci-failure:xyz -->", "<!-- dispatch-ci-failure:00112233aabbccdd"] {
            assert_eq!(find_marker(text), None, "{text}");
        }
    }
}
