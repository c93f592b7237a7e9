//! Boards that stand open while issues change: each hears the hints and reads the cards again, as the script of the page does;
//! in the end none may differ from a page that is read anew.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};

use super::{Backend, Bench, Row};
use crate::{
    board::{Board, Card},
    browser::Browser,
    process::processor_time,
    report::progress,
    server::{Server, Site, TOKEN},
    sim::{Sim, World},
    spread::{count, size, time},
};

const BOARDS: u64 = 50;
const RATE: u64 = 20;
const SHOW: usize = 250;
const SECRET: &str = "a-secret-of-the-benchmark";
/// Cards are read again so long after the first hint, and half as long again at most.
const WAIT: Duration = Duration::from_millis(200);
/// Read at once; where more changed, the whole board is.
const AT_ONCE: usize = 100;
/// Nothing is read any more for so long: everybody has everything.
const QUIET: Duration = Duration::from_secs(2);
const SETTLED: Duration = Duration::from_mins(2);

const fn seconds(quick: bool) -> u64 {
    if quick { 5 } else { 30 }
}

pub fn title(quick: bool) -> String {
    let seconds = seconds(quick);
    format!(
        "{BOARDS} open boards of 1 000 cards each over 10 000 issues, {RATE} issues/s change for {seconds} s"
    )
}

/// What all boards together did.
#[derive(Default)]
struct Tally {
    hints: AtomicU64,
    fragments: AtomicU64,
    wholes: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    took: Mutex<Vec<Duration>>,
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let world = World { issues: 500, latency: Duration::ZERO, ..World::usual(20).without_limits() };
    let sim = Sim::start(bench, world).await?;
    let site = Site::new(bench, backend, &sim).await?.with("WEBHOOK_SECRET", SECRET);
    let site = site.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0").with("DISPATCH_SYNC_INTERVAL_MS", "0");
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(10)).await?;
    for repo in sim.world.names() {
        let url = format!("{}/api/github/webhook", server.url);
        sim.webhooks(&json!({ "op": "add", "repo": repo, "url": url, "secret": SECRET })).await?;
    }
    let browser = Browser::sign_in(&server).await?;
    let path = format!("/board?show={SHOW}");
    let tally = Arc::new(Tally::default());
    let mut boards = Vec::new();
    let mut open = JoinSet::new();
    for n in 0..BOARDS {
        let board = Arc::new(Mutex::new(Board::read(&browser.page(&path).await?)?));
        let (tell, told) = unbounded_channel();
        let after = format!("/api/events?after={}", board.lock().told);
        let events = browser.listen(&after).await?;
        open.spawn(hear(events, tell, Arc::clone(&tally)));
        let wait = WAIT + WAIT / 2 * u32::try_from(n)? / u32::try_from(BOARDS)?;
        open.spawn(follow(browser.clone(), Arc::clone(&board), told, wait, Arc::clone(&tally)));
        boards.push(board);
    }
    let (at_rest, busy) = (server.program.resident()?, busy(&server)?);
    let first = boards[0].lock().clone();
    let began = Instant::now();
    let changed = change(&sim, &first, seconds(bench.options.quick)).await?;
    let lasted = began.elapsed();
    let after = self::busy(&server)?;
    let told_in = settle(&server, &sim, &tally).await?;
    let peak = server.program.resident_peak()?;
    ensure!(open.try_join_next().is_none(), "a board ended: {}", server.program.tail());
    let truth = truth(&browser).await?;
    let mut wrong = 0;
    for board in &boards {
        let found = difference(&board.lock(), &truth);
        if let Some(found) = found {
            wrong += 1;
            progress(&format!("    a board is wrong: {found:.600}"));
        }
    }
    ensure!(difference(&first, &truth).is_some(), "a board that heard nothing would be wrong");
    open.abort_all();
    drop(server);
    site.remove().await?;
    let mut latency = Histogram::<u64>::new(3)?;
    for took in tally.took.lock().iter() {
        latency.record(u64::try_from(took.as_micros())?)?;
    }
    let quantile = |quantile| time(Duration::from_micros(latency.value_at_quantile(quantile)));
    let share = |of: Duration| format!("{:.0} %", 100.0 * of.div_duration_f64(lasted));
    let [hints, fragments, wholes, bytes, failures] =
        [&tally.hints, &tally.fragments, &tally.wholes, &tally.bytes, &tally.failures]
            .map(|one| one.load(Ordering::Relaxed));
    Ok(vec![
        Row::new("changes at GitHub", count(changed)),
        Row::new(
            "hints heard / fragments read / whole boards read",
            format!("{} / {} / {}", count(hints), count(fragments), count(wholes)),
        ),
        Row::new("fragment p50 / p99", format!("{} / {}", quantile(0.5), quantile(0.99))),
        Row::new("HTML read, unpacked", size(bytes)),
        Row::new(
            "processor: server / boards and GitHub's changes",
            format!("{} / {}", share(after.0.saturating_sub(busy.0)), share(after.1.saturating_sub(busy.1))),
        ),
        Row::new("server's memory: before / most", format!("{} / {}", size(at_rest), size(peak))),
        Row::new("all is told after", time(told_in)),
        Row::new("reads that failed", count(failures)).must_be("0", failures == 0),
        Row::new("boards that are wrong", format!("{wrong} of {}", boards.len())).must_be("0", wrong == 0),
    ])
}

/// Processor time of the server and of this process.
fn busy(server: &Server) -> Result<(Duration, Duration)> {
    Ok((server.program.processor_time()?, processor_time(std::process::id())?))
}

/// Hands on what the script acts on: an issue's id, or none for everything.
async fn hear(
    events: reqwest::Response,
    tell: UnboundedSender<Option<String>>,
    tally: Arc<Tally>,
) -> Result<()> {
    let (mut stream, mut text) = (events.bytes_stream(), Vec::new());
    while let Some(bytes) = stream.next().await {
        text.extend_from_slice(&bytes?);
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            let event = String::from_utf8(event)?;
            let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let hint: Value = line("data:").map(serde_json::from_str).transpose()?.unwrap_or_default();
            let id = |name: &str| hint[name].as_str().map(str::to_owned);
            let told = match line("event:") {
                Some("issue") => Some(id("id").or_else(|| id("issueId"))),
                Some("claim" | "outbox") => Some(id("issueId")),
                Some("repository") if hint["id"].is_null() => Some(None),
                Some("reset") => Some(None),
                _ => None,
            };
            if let Some(told) = told {
                tally.hints.fetch_add(1, Ordering::Relaxed);
                tell.send(told)?;
            }
        }
    }
    anyhow::bail!("the stream of events ended")
}

/// What `refresh` of the script does, again and again.
async fn follow(
    browser: Browser,
    board: Arc<Mutex<Board>>,
    mut told: UnboundedReceiver<Option<String>>,
    wait: Duration,
    tally: Arc<Tally>,
) -> Result<()> {
    while let Some(first) = told.recv().await {
        let until = Instant::now() + wait;
        let (mut changed, mut all) = (HashSet::new(), false);
        let mut next = Some(first);
        while let Some(hint) = next {
            match hint {
                Some(id) => drop(changed.insert(id)),
                None => all = true,
            }
            next = timeout_at(until, told.recv()).await.ok().flatten();
        }
        let ids: Vec<String> = changed.into_iter().collect();
        let read = if all || ids.len() > AT_ONCE {
            tally.wholes.fetch_add(1, Ordering::Relaxed);
            browser.page(&format!("/board?show={SHOW}")).await.and_then(|page| {
                *board.lock() = Board::read(&page)?;
                Ok(page.len())
            })
        } else {
            let began = Instant::now();
            let page = browser.page(&format!("/board/cards?show={SHOW}&ids={}", ids.join(","))).await;
            tally.fragments.fetch_add(1, Ordering::Relaxed);
            tally.took.lock().push(began.elapsed());
            page.and_then(|page| board.lock().swap(&ids, &page).map(|()| page.len()))
        };
        match read {
            Ok(bytes) => tally.bytes.fetch_add(bytes as u64, Ordering::Relaxed),
            Err(_) => tally.failures.fetch_add(1, Ordering::Relaxed),
        };
    }
    Ok(())
}

/// People at GitHub: titles, moves there and back, closing, one issue of the board after the other.
async fn change(sim: &Sim, board: &Board, seconds: u64) -> Result<u64> {
    let cards: Vec<&Card> = board.columns.values().flat_map(|column| &column.cards).collect();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(RATE)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for serial in 0..RATE * seconds {
        ticks.tick().await;
        // Far apart in the columns, and a third of them come again.
        let at = usize::try_from(serial % 400 * 7_919)? % cards.len();
        let card = cards[at];
        let (repo, number) = (&card.repo, card.number);
        let tell = async |change: Value| {
            let mut whole = json!({ "repo": repo, "number": number });
            whole
                .as_object_mut()
                .context("an object")?
                .extend(change.as_object().context("an object")?.clone());
            sim.mutate(&whole).await
        };
        match serial % 10 {
            0..4 => tell(json!({ "op": "edit", "title": format!("Title {serial}") })).await?,
            4..7 => {
                tell(json!({ "op": "add_label", "label": "status/in-review" })).await?;
                tell(json!({ "op": "remove_label", "label": format!("status/{}", card.status) })).await?;
            }
            7 => tell(json!({ "op": "add_label", "label": "priority/p0" })).await?,
            8 => tell(json!({ "op": "close" })).await?,
            _ => tell(json!({ "op": "reopen" })).await?,
        }
    }
    Ok(RATE * seconds)
}

/// Waits until everything is applied and no board reads any more; says how long that took.
async fn settle(server: &Server, sim: &Sim, tally: &Tally) -> Result<Duration> {
    let began = Instant::now();
    while sim.read::<Value>("webhooks").await?["waiting"] != 0 || pending(server).await? > 0 {
        ensure!(began.elapsed() < SETTLED, "deliveries are not applied after {SETTLED:?}");
        sleep(Duration::from_millis(20)).await;
    }
    let reads = || tally.fragments.load(Ordering::Relaxed) + tally.wholes.load(Ordering::Relaxed);
    let (mut seen, mut since) = (reads(), Instant::now());
    while since.elapsed() < QUIET {
        ensure!(began.elapsed() < SETTLED, "boards still read after {SETTLED:?}");
        sleep(Duration::from_millis(20)).await;
        if reads() != seen {
            (seen, since) = (reads(), Instant::now());
        }
    }
    Ok(since.duration_since(began))
}

async fn pending(server: &Server) -> Result<usize> {
    let url = format!("{}/api/deliveries?state=pending&limit=10", server.url);
    let answer = crate::bench::client(true)?.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?;
    Ok(answer.json::<Value>().await?.as_array().context("a list")?.len())
}

/// Every column to its end, read anew.
async fn truth(browser: &Browser) -> Result<Board> {
    let mut board = Board::read(&browser.page("/board?show=500").await?)?;
    for (status, column) in &mut board.columns {
        while let Some(more) = column.more.take() {
            let mut page = Board::read(&browser.page(&more).await?)?;
            let next = page.columns.remove(status).context("the column")?;
            column.cards.extend(next.cards);
            column.more = next.more;
        }
    }
    Ok(board)
}

/// Where a board is not what a page shows that is read now, as far down as the board goes.
fn difference(board: &Board, truth: &Board) -> Option<String> {
    for (status, of) in &truth.columns {
        let Some(column) = board.columns.get(status) else { return Some(format!("{status} is not there")) };
        if column.count != of.count {
            return Some(format!("{status}: {} cards are counted instead of {}", column.count, of.count));
        }
        let is_shown = |card: &&Card| column.last.as_ref().is_none_or(|last| card.order <= *last);
        let right: Vec<&Card> = of.cards.iter().filter(is_shown).collect();
        if let Some((one, other)) = right.iter().zip(&column.cards).find(|(one, other)| **one != *other) {
            return Some(format!("{status}: {other:?} instead of {one:?}"));
        }
        if right.len() != column.cards.len() {
            return Some(format!("{status}: {} cards instead of {}", column.cards.len(), right.len()));
        }
    }
    None
}
