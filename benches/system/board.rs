//! The board as a browser has it: read out of the page, and changed by fragments as `assets/board.js` swaps them; it
//! neither fills columns up nor moves cards by hand.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// A card, as the page holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub id: String,
    pub repo: String,
    pub number: u64,
    pub status: String,
    pub order: String,
    /// Its HTML, without the words for times, which change by themselves.
    html: String,
}

/// A column, as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    pub count: u64,
    pub cards: Vec<Card>,
    /// What stands behind it is not shown; none where all is.
    pub last: Option<String>,
    /// Where more of it is.
    pub more: Option<String>,
}

/// All columns by their status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// The id of the last event before it was read; none of a part of it.
    pub told: String,
    pub columns: BTreeMap<String, Column>,
}

impl Board {
    /// What a page shows: the whole board, or one column of it.
    pub fn read(page: &str) -> Result<Self> {
        let told = page.contains("data-told=").then(|| attribute(page, "data-told")).transpose()?;
        let mut board = Self { told: told.unwrap_or_default(), ..Self::default() };
        for part in page.split("<section class=\"column\" data-column=\"").skip(1) {
            let part = part.split("</section>").next().unwrap_or_default();
            let status = part.split('"').next().context("a status")?;
            let count = part
                .split("title=\"All that the filter shows\">")
                .nth(1)
                .and_then(|rest| rest.split('<').next());
            let link = part.split("<p class=\"more\">").nth(1);
            let column = Column {
                count: count.context("a count")?.parse()?,
                cards: cards(part)?,
                last: link.map(|link| attribute(link, "data-order")).transpose()?,
                more: link.map(|link| attribute(link, "href")).transpose()?,
            };
            board.columns.insert(status.to_owned(), column);
        }
        Ok(board)
    }

    pub fn cards(&self) -> usize {
        self.columns.values().map(|column| column.cards.len()).sum()
    }

    /// Swaps these cards by what a fragment holds of them.
    pub fn swap(&mut self, ids: &[String], fragment: &str) -> Result<()> {
        let head = fragment.split('>').next().context("a list")?;
        for (status, column) in &mut self.columns {
            column.count = attribute(head, &format!("data-count-{status}"))?.parse()?;
        }
        let fresh = cards(fragment)?;
        for id in ids {
            for column in self.columns.values_mut() {
                column.cards.retain(|card| card.id != *id);
            }
            let Some(card) = fresh.iter().find(|card| card.id == *id) else { continue };
            let Some(column) = self.columns.get_mut(&card.status) else { continue };
            if column.last.as_ref().is_some_and(|last| card.order > *last) {
                continue;
            }
            let next = column.cards.iter().position(|other| other.order > card.order);
            column.cards.insert(next.unwrap_or(column.cards.len()), card.clone());
        }
        Ok(())
    }
}

fn cards(html: &str) -> Result<Vec<Card>> {
    let parts = html.split("<li class=\"card\"").skip(1);
    parts
        .map(|part| {
            let html = part.split("</li>").next().unwrap_or_default();
            let one = |name| attribute(html, name);
            Ok(Card {
                id: one("data-issue")?,
                repo: one("data-repo")?,
                number: one("data-number")?.parse()?,
                status: one("data-status")?,
                order: one("data-order")?,
                html: without_times(html),
            })
        })
        .collect()
}

/// An attribute of the first tag that has it.
fn attribute(html: &str, name: &str) -> Result<String> {
    let value = html.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    Ok(value.with_context(|| format!("no {name} in {html:.300}"))?.replace("&#38;", "&"))
}

fn without_times(html: &str) -> String {
    let mut parts = html.split("<time ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once("</time>").map_or("", |(_, rest)| rest))
}
