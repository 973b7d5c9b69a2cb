//! The documentation of this very version, rendered by the server from `docs/`.
//!
//! Not here: any search or script. Invariants: raw HTML in a document is shown as text; a link between two
//! documents (`other.md#part`) leads to the rendered page. Markdown as in CommonMark, with tables and strikethrough.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::pages::{escape, head};

static FOLDER: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../docs");

static LIBRARY: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let mut found = Vec::new();
    let mut folders = vec![&FOLDER];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8())
                && let Some(document) = Document::new(path, text)
            {
                found.push(document);
            }
        }
    }
    // Pages for users before decisions and formats; the page that introduces a folder before the others in it.
    found.sort_by_key(|document| {
        (
            document.slug.matches('/').count(),
            document.folder().to_owned(),
            !document.introduces,
            document.slug.clone(),
        )
    });
    found
});

struct Document {
    slug: String,
    title: String,
    text: &'static str,
    introduces: bool,
}

/// The page at `slug`, such as `flags` or `adr/0001-one-ledger`; the index for the empty slug. `None` when there is none.
pub fn page(slug: &str) -> Option<String> {
    let slug = slug.strip_suffix(".md").unwrap_or(slug);
    let place = LIBRARY.iter().position(|document| document.slug == slug);
    let Some(place) = place else { return slug.is_empty().then(contents) };
    let document = LIBRARY.get(place)?;
    let before = place.checked_sub(1).and_then(|before| LIBRARY.get(before));
    let after = LIBRARY.get(place + 1);
    let mut body = render(document.text, document.folder());
    body.push_str(r#"<nav class="turn" aria-label="Pages">"#);
    for (other, word, class) in [(before, "Before", "before"), (after, "Next", "after")] {
        if let Some(other) = other {
            let _ = write!(
                body,
                r#"<a class="{class}" href="{}"><span>{word}</span>{}</a>"#,
                address(&other.slug),
                escape(&other.title)
            );
        }
    }
    body.push_str("</nav>");
    Some(shell(&document.title, &document.slug, &body))
}

/// The page that says there is no page at `slug`.
pub fn missing(slug: &str) -> String {
    let body = format!(
        "<h1>No such page</h1><p>There is no <code>{}</code> in this version's documentation.</p>",
        escape(slug)
    );
    shell("No such page", "", &body)
}

// === impl Document ===

impl Document {
    fn new(path: &str, text: &'static str) -> Option<Self> {
        let path = path.replace('\\', "/");
        let slug = path.strip_suffix(".md")?;
        let (folder, name) = slug.rsplit_once('/').unwrap_or(("", slug));
        let introduces = matches!(name, "index" | "README");
        let title = text.lines().find_map(|line| line.strip_prefix("# ")).map_or(name, str::trim);
        let slug = if introduces { folder.to_owned() } else { slug.to_owned() };
        Some(Self { slug, title: title.replace('`', ""), text, introduces })
    }

    fn folder(&self) -> &str {
        if self.introduces { &self.slug } else { self.slug.rsplit_once('/').map_or("", |(folder, _)| folder) }
    }
}

fn address(slug: &str) -> String {
    if slug.is_empty() { "/docs".to_owned() } else { format!("/docs/{}", escape(slug)) }
}

/// The index when `docs/` has no page of its own for it.
fn contents() -> String {
    let mut body = String::from("<h1>Documentation</h1><ul>");
    for document in LIBRARY.iter() {
        let _ =
            write!(body, r#"<li><a href="{}">{}</a></li>"#, address(&document.slug), escape(&document.title));
    }
    body.push_str("</ul>");
    shell("Documentation", "", &body)
}

fn shell(title: &str, here: &str, body: &str) -> String {
    let mut side = String::new();
    let mut group = None;
    for document in LIBRARY.iter() {
        if group != Some(document.folder()) {
            if group.is_some() {
                side.push_str("</ul>");
            }
            let name = match document.folder() {
                "" => "Guide",
                "adr" => "Decisions",
                "commands" => "Commands",
                "formats" => "Formats",
                other => other,
            };
            let _ = write!(side, "<h2>{}</h2><ul>", escape(name));
            group = Some(document.folder());
        }
        let current = if document.slug == here { r#" aria-current="page""# } else { "" };
        let _ = write!(
            side,
            r#"<li><a href="{}"{current}>{}</a></li>"#,
            address(&document.slug),
            escape(&document.title)
        );
    }
    if group.is_some() {
        side.push_str("</ul>");
    }
    format!(
        r##"{head}<body class="docs"><a class="skip" href="#content">Skip to the text</a>
<header><a class="mark" href="/docs"><img src="/assets/style/icon.svg" alt="" width="22" height="22">Mainstay</a><span>Documentation</span><a class="back" href="/">Console</a></header>
<nav class="side" aria-label="Documentation">{side}</nav>
<main id="content" class="prose">{body}</main></body></html>
"##,
        head = head(title),
    )
}

fn render(text: &str, folder: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut events: Vec<Event<'_>> =
        Parser::new_ext(text, options).map(|event| tame(event, folder)).collect();
    anchor_headings(&mut events);
    let mut body = String::new();
    html::push_html(&mut body, events.into_iter());
    body
}

/// Raw HTML becomes text, links between documents lead to their rendered pages, and no link runs script.
fn tame<'a>(event: Event<'a>, folder: &str) -> Event<'a> {
    match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: destination(&dest_url, folder).into(), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: destination(&dest_url, folder).into(), title, id })
        }
        other => other,
    }
}

fn destination(url: &str, folder: &str) -> String {
    let scheme = url.split(['/', '#', '?']).next().filter(|start| start.contains(':'));
    if let Some(scheme) = scheme {
        let allowed =
            ["http:", "https:", "mailto:"].iter().any(|known| scheme.to_ascii_lowercase().starts_with(known));
        return if allowed { url.to_owned() } else { "#".to_owned() };
    }
    if url.starts_with(['#', '/']) {
        return url.to_owned();
    }
    let (path, fragment) =
        url.split_once('#').map_or((url, String::new()), |(path, part)| (path, format!("#{part}")));
    let Some(path) = path.strip_suffix(".md") else { return url.to_owned() };
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    if matches!(parts.last(), Some(&("index" | "README"))) {
        parts.pop();
    }
    let slug = parts.join("/");
    if slug.is_empty() { format!("/docs{fragment}") } else { format!("/docs/{slug}{fragment}") }
}

/// Gives every heading an id made of its words, so that a part of a page can be linked to.
fn anchor_headings(events: &mut [Event<'_>]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut start: Option<usize> = None;
    let mut words = String::new();
    let mut ids = Vec::new();
    for (place, event) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::Heading { level, .. }) if *level != HeadingLevel::H1 => {
                start = Some(place);
                words.clear();
            }
            Event::Text(text) | Event::Code(text) if start.is_some() => words.push_str(text),
            Event::End(TagEnd::Heading(_)) => {
                if let Some(at) = start.take() {
                    let base = anchor(&words);
                    let count = seen.entry(base.clone()).or_default();
                    *count += 1;
                    ids.push((at, if *count == 1 { base } else { format!("{base}-{count}") }));
                }
            }
            _ => {}
        }
    }
    for (at, name) in ids {
        if let Some(Event::Start(Tag::Heading { id, .. })) = events.get_mut(at) {
            id.get_or_insert(CowStr::from(name));
        }
    }
}

fn anchor(words: &str) -> String {
    let dashed: String =
        words.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_html_and_script_links_stay_text() {
        let page = render(
            "# T\n\n<script>alert(1)</script>\n\na <b onclick=x>b</b> [c](javascript:alert(1)) [d](JaVaScript:x)",
            "",
        );
        assert!(!page.contains("<script") && !page.contains("<b "), "{page}");
        assert!(!page.to_ascii_lowercase().contains("javascript:"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }

    #[test]
    fn links_lead_to_pages() {
        let check =
            |url: &str, folder: &str, expect: &str| assert_eq!(destination(url, folder), expect, "{url}");
        check("flags.md", "", "/docs/flags");
        check("./flags.md#debt", "", "/docs/flags#debt");
        check("../flags.md", "adr", "/docs/flags");
        check("0002-x.md", "adr", "/docs/adr/0002-x");
        check("adr/README.md", "", "/docs/adr");
        check("README.md", "", "/docs");
        check("#part", "", "#part");
        check("/explore?q=up", "", "/explore?q=up");
        check("https://example.com/a.md", "", "https://example.com/a.md");
        check("vbscript:x", "", "#");
    }

    #[test]
    fn headings_can_be_linked_to() {
        let page = render("# T\n## Who may `do` what?\n## Same\n## Same", "");
        for id in ["who-may-do-what", "same", "same-2"] {
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}: {page}");
        }
    }

    #[test]
    fn every_document_renders_and_knows_its_neighbours() {
        assert!(page("").is_some());
        assert!(page("no/such/page").is_none());
        assert!(missing("<x>").contains("&lt;x&gt;"));
        for (place, document) in LIBRARY.iter().enumerate() {
            let html = page(&document.slug).unwrap();
            assert!(html.contains(&escape(&document.title)), "{}", document.slug);
            assert_eq!(html.contains(r#"class="after""#), place + 1 < LIBRARY.len(), "{}", document.slug);
        }
    }
}
