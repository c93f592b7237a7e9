//! What a log says of a failure: the lines that tell, and a signature that the same failure has again.

use super::super::digest::{hex, sha256};

/// So much of a log makes a signature, and so much of it is shown.
const SIGNED: usize = 2_000;
const SHOWN: usize = 4_000;
/// Lines shown around the first that tells, and lines that tell.
const BEFORE: usize = 5;
const AFTER: usize = 40;
const TELLING: usize = 20;

/// A failing job's log, cut to what matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// For people.
    pub shown: String,
    /// For the signature: the lines that tell alone, as what stands around them differs from run to run.
    telling: String,
    /// Names of vulnerabilities, each once.
    pub findings: Vec<String>,
}

impl Excerpt {
    pub fn of(log: &str) -> Self {
        let lines: Vec<String> = log.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
        let tells: Vec<usize> = (0..lines.len()).filter(|&n| is_telling(&lines[n])).collect();
        let last = lines.len().saturating_sub(TELLING);
        let (from, to) = match tells.first() {
            Some(&first) => (first.saturating_sub(BEFORE), (first + AFTER).min(lines.len())),
            None => (last, lines.len()),
        };
        let telling: Vec<&str> = match tells.as_slice() {
            [] => lines[last..].iter().map(String::as_str).collect(),
            tells => tells.iter().take(TELLING).map(|&n| lines[n].as_str()).collect(),
        };
        Self {
            shown: cut(&lines[from..to].join("\n"), SHOWN).to_owned(),
            telling: telling.join("\n"),
            findings: findings(&lines),
        }
    }
}

/// The same for the same failure of a job, whatever time, place and commit it happened at: 16 hexadecimal digits.
pub fn signature(repo: &str, workflow: &str, job: &str, excerpt: &Excerpt) -> String {
    let said = normalise(&excerpt.telling);
    let said = cut(&said, SIGNED);
    let text = [repo.to_ascii_lowercase().as_str(), workflow, job, said].join("\n");
    hex(&sha256(text))[..16].to_owned()
}

/// Does this job look for vulnerabilities, or has it found one?
pub fn is_scan(workflow: &str, job: &str, excerpt: &Excerpt) -> bool {
    const WORDS: [&str; 6] = ["vulnerability", "security", "grype", "trivy", "snyk", "scan"];
    let names = format!("{workflow}\n{job}").to_lowercase();
    WORDS.iter().any(|word| names.contains(word)) || !excerpt.findings.is_empty()
}

/// A line without the time that GitHub puts before it, and without colours.
fn plain(line: &str) -> String {
    let line = line.trim_start_matches('\u{feff}');
    let line = match line.split_once(' ') {
        Some((time, rest)) if time.ends_with('Z') && date_and_time(time.as_bytes()) == time.len() => rest,
        _ => line,
    };
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            // A colour is "ESC [ numbers letter".
            '\u{1b}' => _ = chars.by_ref().find(char::is_ascii_alphabetic),
            '\0' => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn is_telling(line: &str) -> bool {
    const WORDS: [&str; 12] = [
        "##[error]",
        "error:",
        "error[",
        "error ",
        "exception",
        "panicked",
        "assertion",
        "failed",
        "failure",
        "fatal:",
        "traceback",
        "cve-",
    ];
    let line = line.to_lowercase();
    // The end of every failing job; it tells nothing.
    !line.contains("process completed with exit code") && WORDS.iter().any(|word| line.contains(word))
}

/// `CVE-2026-1234`, in the order in which they are named.
fn findings(lines: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines {
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let names = words.map(str::to_ascii_uppercase).filter(|word| is_cve(word));
        for name in names {
            if !found.contains(&name) && found.len() < 50 {
                found.push(name);
            }
        }
    }
    found
}

fn is_cve(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = word.split('-').collect();
    matches!(parts.as_slice(), ["CVE", year, number] if year.len() == 4 && digits(year) && digits(number))
}

/// Puts a word in the place of whatever differs from run to run: ids, hashes, times, durations, long numbers, temporary names.
fn normalise(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(normal_word).collect();
    words.join(" ")
}

fn normal_word(word: &str) -> String {
    const TEMPORARY: [&str; 4] = ["/tmp/", "/temp/", "tmp.", "/_temp"];
    let lower = word.to_lowercase();
    if TEMPORARY.iter().any(|part| lower.contains(part)) {
        return "<tmp>".to_owned();
    }
    let bytes = word.as_bytes();
    let (mut normal, mut at) = (String::with_capacity(word.len()), 0);
    while at < bytes.len() {
        let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        if let Some((length, name)) = begins.then(|| variable(&bytes[at..])).flatten() {
            normal.push_str(name);
            at += length;
        } else {
            let length = word[at..].chars().next().map_or(1, char::len_utf8);
            normal.push_str(&word[at..at + length]);
            at += length;
        }
    }
    normal
}

/// How long what differs is that begins here, and the word for it.
fn variable(text: &[u8]) -> Option<(usize, &'static str)> {
    let run = text.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let word = &text[..run];
    let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
    let is_hex = word.iter().all(u8::is_ascii_hexdigit);
    if uuid(text) {
        return Some((36, "<uuid>"));
    }
    match date_and_time(text) {
        0 => {}
        length => return Some((length, "<time>")),
    }
    if let Some(length) = duration(text) {
        return Some((length, "<duration>"));
    }
    if is_hex && run >= 7 && digits < run && digits_in(word) > 0 {
        return Some((run, "<hex>"));
    }
    (digits == run && run >= 3).then_some((run, "<n>"))
}

fn digits_in(word: &[u8]) -> usize {
    word.iter().filter(|b| b.is_ascii_digit()).count()
}

fn uuid(text: &[u8]) -> bool {
    text.len() >= 36
        && text[..36].iter().enumerate().all(|(n, b)| match n {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// The length of `2026-01-01`, `2026-01-01T00:00:00.000Z` or `00:00:00`; 0: it is none of them.
fn date_and_time(text: &[u8]) -> usize {
    let fits = |form: &str| {
        text.len() >= form.len()
            && form.bytes().zip(text).all(|(f, b)| if f == b'0' { b.is_ascii_digit() } else { f == *b })
    };
    if !fits("0000-00-00") && !fits("00:00:00") {
        return 0;
    }
    let rest = |b: &&u8| b.is_ascii_digit() || b"-:.+TZ".contains(b);
    text.iter().take_while(rest).count()
}

/// The length of `12s`, `1.5ms`, `1m3s`.
fn duration(text: &[u8]) -> Option<usize> {
    let length = text.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'.').count();
    let word = std::str::from_utf8(&text[..length]).ok()?.trim_end_matches('.');
    let mut rest = word;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit_and_rest = &rest[number..];
        let units = ["ms", "us", "ns", "min", "sec", "s", "m", "h"];
        let unit = units.iter().find(|unit| {
            unit_and_rest
                .strip_prefix(**unit)
                .is_some_and(|after| after.is_empty() || after.starts_with(|c: char| c.is_ascii_digit()))
        })?;
        if number == 0 {
            return None;
        }
        rest = &unit_and_rest[unit.len()..];
    }
    (!word.is_empty()).then_some(word.len())
}

/// The beginning, to the last whole character.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(log: &str) -> String {
        signature("Acme/api", "CI", "test", &Excerpt::of(log))
    }

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        for (line, want) in [
            ("error: 3f2504e0-4f89-41d3-9a0c-0305e82c3301 is gone", "error: <uuid> is gone"),
            ("error: at 1f3ce92 of main", "error: at <hex> of main"),
            ("took 1.23s, 350ms and 1m3s", "took <duration>, <duration> and <duration>"),
            ("port 43211 of 12 at 2026-01-01T00:00:00.123Z", "port <n> of 12 at <time>"),
            ("started 12:01:59,  then\t2026-01-02", "started <time>, then <time>"),
            ("open /tmp/build-xYz1/a.txt: no", "open <tmp> no"),
            ("src/main.rs:1024:7 u64 v2 café", "src/main.rs:<n>:7 u64 v2 café"),
            ("deadbeef is a word, deadbee1 is not", "deadbeef is a word, <hex> is not"),
        ] {
            assert_eq!(normalise(line), want);
        }
    }

    #[test]
    fn the_same_failure_has_the_same_signature() {
        let first = "2026-01-01T00:00:00.0000000Z compiling\n2026-01-01T00:00:01.0000000Z \u{1b}[31merror: test a failed in 12ms\u{1b}[0m\n";
        let again = "\u{feff}2026-02-03T10:00:00.1230000Z downloading 12345\n2026-02-03T10:00:09.0000000Z error: test a failed in 47ms\nmore of it";
        let other = "2026-01-01T00:00:01.0000000Z error: test b failed in 12ms";
        assert_eq!(sign(first), sign(again));
        assert_ne!(sign(first), sign(other));
        assert!(sign(first).len() == 16 && sign(first).bytes().all(|b| b.is_ascii_hexdigit()));
        let excerpt = Excerpt::of(first);
        assert_eq!(signature("acme/api", "CI", "test", &excerpt), sign(first), "names compare without case");
        assert_ne!(signature("acme/api", "CI", "lint", &excerpt), sign(first));
        assert_ne!(sign(""), sign("x"));
    }

    #[test]
    fn an_excerpt_shows_the_first_lines_that_tell() {
        let mut log: Vec<String> = (0..100).map(|n| format!("step {n}")).collect();
        log.insert(60, "##[error]it broke".into());
        log.push("##[error]Process completed with exit code 1.".into());
        let excerpt = Excerpt::of(&log.join("\n"));
        let shown: Vec<&str> = excerpt.shown.lines().collect();
        assert_eq!((shown[0], shown[5], shown.len()), ("step 55", "##[error]it broke", 45));
        assert_eq!(excerpt.telling, "##[error]it broke");
        let silent = Excerpt::of(&log[..50].join("\n"));
        assert!(silent.shown.starts_with("step 30\n") && silent.shown.ends_with("step 49"));
        assert!(Excerpt::of(&format!("error: {}", "é".repeat(9_000))).shown.len() <= SHOWN);
    }

    #[test]
    fn scans_are_known_by_their_names_and_by_what_they_find() {
        let found = Excerpt::of("libx 1.2 CVE-2026-1234 high\nliby cve-2026-1234, CVE-2025-99999!\nCVE-26-1");
        assert_eq!(found.findings, ["CVE-2026-1234", "CVE-2025-99999"]);
        let nothing = Excerpt::of("fine");
        for (workflow, job, excerpt, want) in [
            ("CI", "test", &nothing, false),
            ("Security", "test", &nothing, true),
            ("CI", "trivy image", &nothing, true),
            ("CI", "test", &found, true),
        ] {
            assert_eq!(is_scan(workflow, job, excerpt), want, "{workflow} {job}");
        }
    }
}
