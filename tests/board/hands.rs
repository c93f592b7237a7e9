//! The board in a real browser while things go wrong: reads that come late, moves that fail, columns that run dry.

use std::time::Duration;

use serde_json::json;

use crate::{
    API,
    chromium::{Chromium, Window},
    support::{App, TestDb},
};

/// Issues of this repository, all ready; their ids.
async fn board(issues: u64) -> (App, Vec<String>) {
    let app = App::with_repos(TestDb::sqlite().await, &[API]).await;
    for n in 1..=issues {
        app.sim.repo(API).open_issue(format!("Issue {n}").as_str());
        app.sim.repo(API).add_label(n, "status/ready");
        app.advance(Duration::from_secs(1));
    }
    app.beat("coder").await;
    let mut ids = Vec::new();
    for n in 1..=issues {
        let state = app.get(&format!("/api/issues/state?repo={API}&number={n}")).await.expect(200);
        ids.push(state["issueId"].as_str().expect("an id").to_owned());
    }
    (app, ids)
}

async fn open(chromium: &Chromium, app: &App, path: &str) -> Window {
    let window = chromium.sign_in(app, path).await;
    window.until("document.getElementById('live').dataset.state === 'on'").await;
    window
}

async fn move_to(app: &App, issue: &str, number: u64, from: &str, to: &str) {
    let moved = json!({ "issueId": issue, "repoFullName": API, "issueNumber": number,
        "oldLabels": [format!("status/{from}")], "newLabels": [format!("status/{to}")] });
    app.post("/api/issues/move", moved).await.expect(200);
}

/// The titles in a column, from above.
fn titles(column: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-column=\"{column}\"] h3')].map((one) => one.innerText).join(', ')"
    )
}

/// Answers to such addresses are held back once they are there, until they are let go.
async fn answers_wait(window: &Window, part: &str) {
    let script = "const real = window.fetch;
        let letGo;
        const gate = new Promise((go) => letGo = go);
        window.gates = { ...window.gates, 'PART': { held: 0, letGo } };
        window.fetch = async (url, ...more) => {
            const answer = await real(url, ...more);
            if (!String(url).includes('PART')) return answer;
            window.gates['PART'].held += 1;
            await gate;
            return answer;
        };";
    window.value(&format!("(() => {{ {} }})()", script.replace("PART", part))).await;
}

async fn let_go(window: &Window, part: &str) {
    window.value(&format!("window.gates['{part}'].letGo()")).await;
}

async fn is_held(window: &Window, part: &str) {
    window.until(&format!("window.gates['{part}'].held === 1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_others_empty_fills_up_again() {
    let (app, ids) = board(9).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board?show=4").await;
    window.until(&format!("{} === 'Issue 1, Issue 2, Issue 3, Issue 4'", titles("ready"))).await;
    for n in 1..=3 {
        move_to(&app, &ids[n - 1], n as u64, "ready", "in-progress").await;
    }
    window.until(&format!("{} === 'Issue 4, Issue 5, Issue 6, Issue 7, Issue 8'", titles("ready"))).await;
    window.until("document.querySelector('[data-count=\"ready\"]').textContent === '6'").await;
    window.until("document.querySelector('[data-column=\"ready\"] [data-more]')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_comes_late_leaves_a_move_alone() {
    let (app, ids) = board(3).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    answers_wait(&window, "/board/cards").await;
    // Somebody else's change is read while the card is still where it was, and is answered when it is elsewhere.
    let label = json!({ "issueId": ids[1], "repoFullName": API, "issueNumber": 2, "label": "type/bug" });
    app.post("/api/issues/label", label).await.expect(200);
    is_held(&window, "/board/cards").await;
    answers_wait(&window, "/api/issues/move").await;
    window.focus(&format!("#card-{} h3 a", ids[1])).await;
    window.press_with_shift("ArrowRight").await;
    window.until(&format!("{} === 'Issue 2'", titles("in-progress"))).await;
    is_held(&window, "/api/issues/move").await;
    let_go(&window, "/board/cards").await;
    window.run("new Promise((go) => setTimeout(go, 0))").await;
    assert_eq!(window.value(&titles("in-progress")).await, "Issue 2");
    let_go(&window, "/api/issues/move").await;
    window.until("document.getElementById('flash').innerText.includes('is in In Progress now')").await;
    window.until("moves.size === 0 && changed.size === 0").await;
    assert_eq!(window.value(&titles("in-progress")).await, "Issue 2");
    assert_eq!(window.value(&titles("ready")).await, "Issue 1, Issue 3");
    assert_eq!(window.value(&format!("document.querySelectorAll('#card-{}').length", ids[1])).await, 1);
    assert_eq!(
        window
            .value(&format!("document.getElementById('card-{}').contains(document.activeElement)", ids[1]))
            .await,
        true
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_during_a_drag_takes_no_card_out_of_the_hand() {
    let (app, ids) = board(3).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    answers_wait(&window, "/board/cards").await;
    let label = json!({ "issueId": ids[1], "repoFullName": API, "issueNumber": 2, "label": "type/bug" });
    app.post("/api/issues/label", label).await.expect(200);
    is_held(&window, "/board/cards").await;
    let held = format!("document.getElementById('card-{}')", ids[1]);
    window.value(&format!("window.inHand = {held}; window.inHand.dispatchEvent(new DragEvent('dragstart', {{ bubbles: true, dataTransfer: new DataTransfer() }})); 0")).await;
    let_go(&window, "/board/cards").await;
    // One turn of the script later the answer was seen, and the card is the one that is held.
    window.run("inTurn(() => {})").await;
    assert_eq!(window.value(&format!("window.inHand === {held} && window.inHand.isConnected")).await, true);
    window.value("window.inHand.dispatchEvent(new DragEvent('dragend', { bubbles: true })); 0").await;
    // What was not shown then is shown now.
    window.until(&format!("window.inHand !== {held} && dragged === null && {held}.isConnected")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_that_fail_go_back_to_their_place() {
    let (app, ids) = board(4).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    window.value("(() => { const real = fetch; window.fetch = (url, ...more) => String(url).includes('/move') ? new Promise((_, no) => setTimeout(() => no(new TypeError('down')), 300)) : real(url, ...more); })()").await;
    window.focus(&format!("#card-{} h3 a", ids[1])).await;
    window.press_with_shift("ArrowRight").await;
    window.press_with_shift("ArrowRight").await;
    window.until(&format!("{} === 'Issue 2'", titles("in-review"))).await;
    window.until("document.getElementById('flash').innerText.includes('acme/api#2 stays in Ready: the server cannot be reached')").await;
    assert_eq!(window.value(&titles("ready")).await, "Issue 1, Issue 2, Issue 3, Issue 4");
    assert_eq!(
        window
            .value("[...document.querySelectorAll('[data-count]')].map((one) => one.textContent).join()")
            .await,
        "0,4,0,0,0,0"
    );
    assert_eq!(
        window
            .value(&format!("document.getElementById('card-{}').contains(document.activeElement)", ids[1]))
            .await,
        true
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_quick_moves_end_where_the_last_one_led() {
    let (app, ids) = board(2).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    window.focus(&format!("#card-{} h3 a", ids[0])).await;
    answers_wait(&window, "/api/issues/move").await;
    for _ in 0..3 {
        window.press_with_shift("ArrowRight").await;
    }
    window.until(&format!("{} === 'Issue 1'", titles("blocked"))).await;
    let_go(&window, "/api/issues/move").await;
    window.until("document.getElementById('flash').innerText.includes('is in Blocked now')").await;
    assert_eq!(app.sim.repo(API).issue(1).expect("the issue").labels, ["status/blocked"]);
    // A key that is held moves no further.
    let again = format!(
        "document.querySelector('#card-{} h3 a').dispatchEvent(new KeyboardEvent('keydown', {{ key: 'ArrowLeft', shiftKey: true, repeat: true, bubbles: true }}))",
        ids[0]
    );
    window.value(&again).await;
    assert_eq!(window.value("moves.size").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_comes_to_stand_in_the_order_of_its_column() {
    let (app, ids) = board(5).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    for n in [1, 3, 5] {
        move_to(&app, &ids[n - 1], n as u64, "ready", "blocked").await;
    }
    window.until(&format!("{} === 'Issue 1, Issue 3, Issue 5'", titles("blocked"))).await;
    window.drag(&format!("#card-{}", ids[3]), "[data-column='blocked']").await;
    window.until(&format!("{} === 'Issue 1, Issue 3, Issue 4, Issue 5'", titles("blocked"))).await;
    move_to(&app, &ids[1], 2, "ready", "blocked").await;
    window.until(&format!("{} === 'Issue 1, Issue 2, Issue 3, Issue 4, Issue 5'", titles("blocked"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_falls_silent_is_marked_without_a_word_from_the_server() {
    let (app, ids) = board(1).await;
    let claim = json!({ "issueId": ids[0], "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
    app.post("/api/issues/claim", claim).await.expect(200);
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    let mark = "document.querySelector('.card [data-silent]')";
    // The server's clock stands at its beginning, and the browser's goes: to that one the agent is silent already.
    let at = window.value(&format!("Number({mark}.dataset.quiet)")).await.as_i64().expect("a time");
    let as_of = async |now: i64| {
        window.value(&format!("Date.now = () => {now}; refreshTimes()")).await;
        window.value(&format!("{mark}.className + ' ' + {mark}.querySelector('.sign').textContent + ' ' + {mark}.querySelector('.word').textContent")).await
    };
    assert_eq!(as_of(at - 1).await, "mark good ● alive");
    assert_eq!(as_of(at).await, "mark warn ◐ quiet");
    let silent = window.value(&format!("Number({mark}.dataset.silent)")).await.as_i64().expect("a time");
    assert_eq!(as_of(silent).await, "mark bad ○ silent");
    assert!(window.value(&format!("{mark}.title")).await.as_str().expect("a title").ends_with("; silent"));
    // It speaks again.
    app.beat("coder").await;
    window.until(&format!("{mark}.classList.contains('good')")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_others_change_the_board_is_what_a_new_page_shows() {
    let (app, ids) = board(24).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board?show=6").await;
    let columns = ["backlog", "ready", "in-progress", "in-review", "blocked"];
    let mut places = vec![1; ids.len()];
    for step in 0..120_usize {
        let n = step * 7 % ids.len();
        let to = (places[n] + 1 + step % 3) % columns.len();
        move_to(&app, &ids[n], n as u64 + 1, columns[places[n]], columns[to]).await;
        places[n] = to;
        if step % 10 == 9 {
            app.sim.repo(API).edit_issue(n as u64 + 1, |issue| issue.title = format!("Issue of step {step}"));
            app.advance(Duration::from_secs(1));
            app.beat("coder").await;
        }
        if step % 40 == 20 {
            // Somebody looks further down now and then.
            window.value("document.querySelector('[data-more]')?.click()").await;
        }
    }
    // Every card that both show is the same, in the same order; the open page may show more.
    let compare = "(async () => {
        const page = await fetchPage(location.href);
        const told = (of, column) => [...of.querySelectorAll(`[data-column=\"${column}\"] .card`)].map((card) =>
            [card.dataset.issue, card.dataset.order, card.querySelector('h3').textContent, card.querySelector('.marks').textContent.trim()].join());
        window.differs = sections().map((section) => section.dataset.column).filter((column) => {
            const [here, there] = [told(document, column), told(page, column)];
            const count = (of) => of.querySelector(`[data-count=\"${column}\"]`).textContent;
            return count(document) !== count(page) || there.some((card, n) => n < 6 && here[n] !== card) || (here.length < 3 && there.length > here.length);
        }).join();
    })()";
    for _ in 0..200 {
        window.run(compare).await;
        if window.value("window.differs").await == ""
            && window.value("changed.size === 0 && !wholeBoard").await == true
        {
            break;
        }
        window.run("new Promise((go) => setTimeout(go, 50))").await;
    }
    assert_eq!(window.value("window.differs").await, "");
    assert_eq!(window.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_out_elsewhere_is_led_to_the_sign_in() {
    let (app, _) = board(1).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    let other = chromium.open(&app, "/settings").await;
    other.follow("form[action='/api/auth/logout'] button").await;
    window.until("location.pathname === '/login'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_of_a_working_agent_changes_its_card_and_no_more() {
    let (app, ids) = board(2).await;
    let claim = json!({ "issueId": ids[0], "repoFullName": API, "issueNumber": 1, "agentName": "coder", "lease": true });
    app.post("/api/issues/claim", claim).await.expect(200);
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    window.value("(() => { const real = fetch; window.asked = []; window.fetch = (url, ...more) => { window.asked.push(String(url)); return real(url, ...more); }; })()").await;
    app.advance(Duration::from_mins(1));
    app.beat("coder").await;
    window
        .until(&format!(
            "window.asked.some((url) => url.includes('/board/cards') && url.includes('{}'))",
            ids[0]
        ))
        .await;
    window.until("changed.size === 0").await;
    assert_eq!(window.value("window.asked.filter((url) => !url.includes('/board/cards')).join()").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_its_menu_moved_has_the_focus() {
    let (app, ids) = board(1).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    let card = format!("document.getElementById('card-{}')", ids[0]);
    window.value(&format!("(() => {{ const menu = {card}.querySelector('details'); menu.open = true; const button = menu.querySelector('button[value^=\"blocked \"]'); button.focus(); button.click(); }})()")).await;
    window.until("document.getElementById('flash').innerText.includes('is in Blocked now')").await;
    window.until("moves.size === 0 && changed.size === 0").await;
    assert_eq!(window.value(&format!("document.activeElement === {card}.querySelector('h3 a')")).await, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_goes_back_out_of_a_hand_leaves_it_empty() {
    let (app, ids) = board(1).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    window.value("(() => { const real = fetch; window.fetch = (url, ...more) => String(url).includes('/move') ? new Promise((_, no) => setTimeout(() => no(new TypeError('down')), 300)) : real(url, ...more); })()").await;
    window.drag(&format!("#card-{}", ids[0]), "[data-column='blocked']").await;
    window.value(&format!("document.getElementById('card-{}').dispatchEvent(new DragEvent('dragstart', {{ bubbles: true, dataTransfer: new DataTransfer() }})); 0", ids[0])).await;
    window.until("document.getElementById('flash').innerText.includes('stays in Ready')").await;
    assert_eq!(window.value("dragged").await, serde_json::Value::Null);
    // And what others do is shown.
    move_to(&app, &ids[0], 1, "ready", "in-review").await;
    window.until(&format!("{} === 'Issue 1'", titles("in-review"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_without_cards_says_what_to_do_until_it_has_some() {
    let (app, ids) = board(2).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board?q=none+such").await;
    let says = "document.querySelector('main > .empty')?.innerText.includes('No card fits these filters')";
    window.until(says).await;
    answers_wait(&window, "/board/cards").await;
    move_to(&app, &ids[0], 1, "ready", "blocked").await;
    is_held(&window, "/board/cards").await;
    let_go(&window, "/board/cards").await;
    window.run("new Promise((go) => setTimeout(go, 50))").await;
    assert_eq!(window.value(says).await, true);
    app.sim.repo(API).edit_issue(2, |issue| issue.title = "There is none such".to_owned());
    app.advance(Duration::from_secs(10));
    app.beat("coder").await;
    window
        .until("document.querySelectorAll('.card').length === 1 && !document.querySelector('main > .empty')")
        .await;
    // And again when the last one leaves.
    app.sim.repo(API).edit_issue(2, |issue| issue.title = "Issue 2".to_owned());
    app.advance(Duration::from_secs(10));
    app.beat("coder").await;
    window.until(says).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_change_without_leaving_the_page_and_a_form_is_sent_once() {
    let (app, _) = board(1).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/issues/acme/api/1").await;
    window.write("input[name='label']", "half writ").await;
    window.click("form.theme button[value='dark']").await;
    window.until("document.documentElement.dataset.theme === 'dark'").await;
    window.until("document.querySelector('form.theme button[value=\"dark\"]').getAttribute('aria-pressed') === 'true'").await;
    assert_eq!(window.value("document.querySelector('input[name=\"label\"]').value").await, "half writ");
    // Two clicks in one turn: the browser would send both.
    window.leave("(() => { const button = document.querySelector('form[action$=\"/comment\"] button'); document.querySelector('form[action$=\"/comment\"] textarea').value = 'Once'; button.click(); button.click(); })()").await;
    window
        .until(
            "document.documentElement.dataset.theme === 'dark' && location.pathname === '/issues/acme/api/1'",
        )
        .await;
    let asked = "SELECT count(*) FROM audit_log WHERE action LIKE '%comment%'";
    assert_eq!(app.db.count(asked).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_focus_stays_on_its_entry_when_the_list_above_it_shrinks() {
    let (app, _) = board(1).await;
    let chromium = Chromium::start().await;
    let window = open(&chromium, &app, "/board").await;
    let focused = window
        .value(
            "(() => {
                const list = (ids) => {
                    const part = document.createElement('div');
                    part.innerHTML = ids.map((id) => `<form action='/outbox/discard'><input type='hidden' name='id' value='${id}'><button>Discard</button></form>`).join('');
                    return part;
                };
                const part = document.body.appendChild(list(['a', 'b', 'c']));
                part.querySelectorAll('button')[1].focus();
                swapPart(part, list(['b', 'c']));
                const first = document.activeElement.form?.elements.id.value;
                swapPart(part, list(['c']));
                const then = document.activeElement.tagName;
                const alike = () => {
                    const two = document.createElement('div');
                    two.innerHTML = '<p tabindex=0></p><p tabindex=0></p>';
                    return two;
                };
                const two = document.body.appendChild(alike());
                two.children[1].focus();
                swapPart(two, alike());
                return [first, then, document.activeElement === two.children[1]].join();
            })()",
        )
        .await;
    // What is gone hands the focus to nobody else, and of two that are alike the same one has it.
    assert_eq!(focused, "b,BODY,true");
}
