// SPDX-License-Identifier: GPL-3.0-or-later
//! Markdown, as the documents have it, to blocks that a label each can show. Knows no widgets.

use gtk::glib::markup_escape_text;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::topics::TOPICS;

/// One thing below the other. Texts are Pango markup, but for code.
#[derive(Debug, PartialEq)]
pub enum Block {
    /// 1 is the title; with the name that links have for it.
    Heading(u8, String, String),
    /// A paragraph.
    Text(String),
    /// An item of a list: how deep it is, its mark, its text.
    Item(usize, String, String),
    /// Commands, files, drawings.
    Code(String),
    /// Rows of cells, the first one the header.
    Table(Vec<Vec<String>>),
}

/// What links to other documents begin with.
const INSIDE: &str = "help:";

/// Document (empty: the same) and heading of a link that leads to another place of the help.
pub fn inside(link: &str) -> Option<(&str, &str)> {
    let place = link.strip_prefix(INSIDE)?;
    Some(place.split_once('#').unwrap_or((place, "")))
}

/// A link as the label has it; `None` for what is not here.
fn target(link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return Some(link.to_string());
    }
    let file = link.split('#').next().unwrap_or_default();
    let here = file.is_empty() || TOPICS.iter().any(|t| t.file == file);
    here.then(|| format!("{INSIDE}{link}"))
}

/// The name of a heading in links: small letters, and hyphens for spaces.
pub fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// A document's blocks. Pictures and comments are left out.
pub fn read(text: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        reader.take(event);
    }
    reader.done
}

#[derive(Default)]
struct Reader {
    done: Vec<Block>,
    /// Markup of the block that is being read.
    text: String,
    /// The same without marks, for the names of headings.
    plain: String,
    /// Lists inside each other, with the number of the next item where they are numbered.
    lists: Vec<Option<u64>>,
    mark: String,
    links: Vec<bool>,
    code: bool,
    /// Inside a picture.
    picture: bool,
    table: Vec<Vec<String>>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if !self.picture => self.add(&text),
            Event::Code(text) => {
                self.plain.push_str(&text);
                let text = markup_escape_text(&text);
                self.text.push_str(&format!("<tt>{text}</tt>"));
            }
            Event::SoftBreak => self.add(" "),
            Event::HardBreak => self.add("\n"),
            Event::Text(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::Rule
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => (),
        }
    }

    fn add(&mut self, text: &str) {
        self.plain.push_str(text);
        match self.code {
            true => self.text.push_str(text),
            false => self.text.push_str(&markup_escape_text(text)),
        }
    }

    /// What was read since the last block.
    fn taken(&mut self) -> String {
        self.plain.clear();
        std::mem::take(&mut self.text).trim().to_string()
    }

    /// A paragraph, or an item of a list, is complete.
    fn flush(&mut self) {
        let text = self.taken();
        if text.is_empty() {
            return;
        }
        self.done.push(match self.lists.len() {
            0 => Block::Text(text),
            depth => Block::Item(depth - 1, std::mem::take(&mut self.mark), text),
        });
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the documents use no other marks"
    )]
    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => {
                self.mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}.", *number - 1)
                    }
                    _ => "•".into(),
                };
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.flush();
                self.code = true;
            }
            Tag::Emphasis => self.text.push_str("<i>"),
            Tag::Strong => self.text.push_str("<b>"),
            Tag::Link { dest_url, .. } => {
                let target = target(&dest_url);
                self.links.push(target.is_some());
                if let Some(target) = target {
                    let target = markup_escape_text(&target);
                    self.text.push_str(&format!("<a href=\"{target}\">"));
                }
            }
            Tag::Image { .. } => self.picture = true,
            Tag::TableHead | Tag::TableRow => self.table.push(vec![]),
            _ => (),
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the documents use no other marks"
    )]
    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let name = anchor(&self.plain);
                let text = self.taken();
                self.done.push(Block::Heading(depth(level), name, text));
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::CodeBlock => {
                self.code = false;
                let code = std::mem::take(&mut self.text);
                self.plain.clear();
                self.done.push(Block::Code(code.trim_end().to_string()));
            }
            TagEnd::Emphasis => self.text.push_str("</i>"),
            TagEnd::Strong => self.text.push_str("</b>"),
            TagEnd::Link if self.links.pop() == Some(true) => self.text.push_str("</a>"),
            TagEnd::Image => self.picture = false,
            TagEnd::TableCell => {
                let cell = self.taken();
                if let Some(row) = self.table.last_mut() {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                let table = std::mem::take(&mut self.table);
                self.done.push(Block::Table(table));
            }
            _ => (),
        }
    }
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 | HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_blocks() {
        let text = "# A & B\n\nOne `<x>` **b**, see [that](security.md#the-token) and\n[code](../src/lib.rs).\n\n\
                    <!-- hidden -->\n![alt](a.svg)\n\n- one\n- two\n  1. deep\n\n```sh\na && b\n```\n\n\
                    | H | I |\n| --- | --- |\n| `a` | b \\| c |\n";
        let blocks = read(text);
        let expected = [
            Block::Heading(1, "a--b".into(), "A &amp; B".into()),
            Block::Text(
                "One <tt>&lt;x&gt;</tt> <b>b</b>, see <a href=\"help:security.md#the-token\">that</a> and code."
                    .into(),
            ),
            Block::Item(0, "•".into(), "one".into()),
            Block::Item(0, "•".into(), "two".into()),
            Block::Item(1, "1.".into(), "deep".into()),
            Block::Code("a && b".into()),
            Block::Table(vec![
                vec!["H".into(), "I".into()],
                vec!["<tt>a</tt>".into(), "b | c".into()],
            ]),
        ];
        assert_eq!(blocks, expected);
    }

    #[test]
    fn every_topic_can_be_shown_and_its_links_lead_somewhere() {
        for topic in TOPICS {
            let blocks = read(topic.text);
            assert!(
                matches!(blocks.first(), Some(Block::Heading(1, ..))),
                "{} begins with its title",
                topic.file
            );
            for link in topic.text.split("](").skip(1) {
                let link = link.split(')').next().unwrap();
                let Some(link) = target(link) else { continue };
                let Some((file, heading)) = inside(&link) else {
                    continue;
                };
                let file = if file.is_empty() { topic.file } else { file };
                let there = TOPICS.iter().find(|t| t.file == file).unwrap();
                let found = heading.is_empty()
                    || read(there.text)
                        .iter()
                        .any(|b| matches!(b, Block::Heading(_, name, _) if name == heading));
                assert!(found, "{}: {link}", topic.file);
            }
        }
    }
}
