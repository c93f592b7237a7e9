//! Reading server-sent events: lines into events, whatever pieces they come in.

/// A line that is longer is no event of ours.
const LINE_MAX: usize = 64 * 1024;

/// One event; without data it only says how far the listener is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub name: String,
    pub data: String,
}

/// The stream is not one that Dispatch sends.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the stream holds a line that is no event")]
pub struct NotAStream;

/// Takes pieces and gives events.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    event: Event,
}

impl Events {
    /// The events that end in this piece.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<Event>, NotAStream> {
        let mut ended = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > LINE_MAX {
                return Err(NotAStream);
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8(line).map_err(|_| NotAStream)?;
                ended.extend(self.take(line.trim_end_matches(['\r', '\n'])));
            }
        }
        Ok(ended)
    }

    fn take(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return (event != Event::default()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments, and what is not needed here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text = b"event: ready\nid: a-0\nretry: 2000\ndata: {}\n\n: \n\nid: a-3\n: \n\nevent: issue\r\ndata: one\r\ndata: two\r\n\r\n";
        let event = |id: Option<&str>, name: &str, data: &str| Event {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let want =
            [event(Some("a-0"), "ready", "{}"), event(Some("a-3"), "", ""), event(None, "issue", "one\ntwo")];
        for size in [1, 2, 7, text.len()] {
            let mut events = Events::default();
            let got: Vec<_> = text.chunks(size).flat_map(|piece| events.feed(piece).unwrap()).collect();
            assert_eq!(got, want, "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let mut events = Events::default();
        let fed = (0..100).try_for_each(|_| events.feed(&[b'x'; 1_024]).map(drop));
        assert_eq!(fed, Err(NotAStream));
        assert!(Events::default().feed(b"\xff\n").is_err());
    }
}
