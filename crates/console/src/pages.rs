//! Pages that work without script: sign-in, the one-time link, errors.
//!
//! Invariant: whatever comes from outside passes through [`escape`] on its way into a page.

use std::fmt::Write as _;

/// What the sign-in page shows.
#[derive(Clone, Debug, Default)]
pub struct SignIn<'a> {
    /// Where to go after signing in; a path of this server.
    pub next: &'a str,
    /// Why the last try was refused.
    pub error: Option<&'a str>,
    /// The user name to start with.
    pub user: &'a str,
}

/// What the page behind a one-time link shows. Opening a link does not use it up: a chat program's preview would.
#[derive(Clone, Debug)]
pub struct SignInLink<'a> {
    /// The token of the link, posted back by the page's button.
    pub token: &'a str,
    /// Whom it signs in.
    pub user: &'a str,
    /// Where to go after signing in; a path of this server.
    pub next: &'a str,
}

/// What an error page shows.
#[derive(Clone, Debug)]
pub struct ErrorPage<'a> {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a few words.
    pub title: &'a str,
    /// What is wrong, in a sentence.
    pub message: &'a str,
    /// What to do about it.
    pub hint: Option<&'a str>,
}

/// The sign-in page: a form that posts `user`, `password` and `next` to `/sign-in`.
pub fn sign_in(page: &SignIn<'_>) -> String {
    let mut body = String::from("<h1>Sign in</h1>");
    if let Some(error) = page.error {
        let _ = write!(body, r#"<p class="refusal" role="alert">{}</p>"#, escape(error));
    }
    let user = escape(page.user);
    // The first empty field has the focus.
    let (at_user, at_password) = if page.user.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
    let _ = write!(
        body,
        r#"<form method="post" action="/sign-in"><input type="hidden" name="next" value="{next}">
<label for="user">User</label>
<input id="user" name="user" value="{user}" autocomplete="username" autocapitalize="none" spellcheck="false" required{at_user}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{at_password}>
<button class="primary">Sign in</button></form>
<p class="quiet">No password yet? On the machine that runs Mainstay:</p>
<pre><code>mainstay user link admin</code></pre>"#,
        next = escape(page.next),
    );
    document("Sign in", &body)
}

/// The page behind a one-time link: one button that posts the token as `link` to `/sign-in`.
pub fn sign_in_link(page: &SignInLink<'_>) -> String {
    let user = escape(page.user);
    let body = format!(
        r#"<h1>Sign in as {user}</h1><p>This link works once.</p>
<form method="post" action="/sign-in"><input type="hidden" name="link" value="{token}"><input type="hidden" name="next" value="{next}">
<button class="primary" autofocus>Sign in as {user}</button></form>"#,
        token = escape(page.token),
        next = escape(page.next),
    );
    document("Sign in", &body)
}

/// A page that says what is wrong and what to do.
pub fn error(page: &ErrorPage<'_>) -> String {
    let title = escape(page.title);
    let mut body =
        format!(r#"<p class="status">{}</p><h1>{title}</h1><p>{}</p>"#, page.status, escape(page.message));
    if let Some(hint) = page.hint {
        let _ = write!(body, r#"<p class="quiet">{}</p>"#, escape(hint));
    }
    body.push_str(r#"<p><a href="/">Go to the overview</a></p>"#);
    document(page.title, &body)
}

/// `text` with everything that means something to HTML replaced, for element content and quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A whole document around `body`, which is HTML; `title` is text.
fn document(title: &str, body: &str) -> String {
    format!(
        r#"{head}<body class="plain"><main class="card"><p class="mark"><img src="/assets/style/icon.svg" alt="" width="22" height="22">Mainstay</p>
{body}</main></body></html>
"#,
        head = head(title),
    )
}

/// The head of every document rendered here, up to and without the body.
pub(crate) fn head(title: &str) -> String {
    let title = escape(title);
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Mainstay</title><meta name="color-scheme" content="light dark"><link rel="icon" href="/assets/style/icon.svg">
<link rel="stylesheet" href="/assets/style/tokens.css"><link rel="stylesheet" href="/assets/style/type.css"><link rel="stylesheet" href="/assets/style/controls.css"><link rel="stylesheet" href="/assets/style/documents.css">
</head>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = r#"<script>alert('x')</script>" onfocus="y"#;

    fn check(page: &str) {
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains(r#"" onfocus"#), "{page}");
        assert!(!page.contains(" style="), "{page}");
        assert!(
            page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onfocus=&quot;y"),
            "{page}"
        );
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        check(&sign_in(&SignIn { next: NASTY, error: Some(NASTY), user: NASTY }));
        check(&sign_in_link(&SignInLink { token: NASTY, user: NASTY, next: NASTY }));
        check(&error(&ErrorPage { status: 404, title: NASTY, message: NASTY, hint: Some(NASTY) }));
    }

    #[test]
    fn sign_in_posts_what_the_server_reads() {
        let page = sign_in(&SignIn { next: "/flags", ..SignIn::default() });
        for part in
            [r#"name="user""#, r#"name="password""#, r#"name="next" value="/flags""#, r#"action="/sign-in""#]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("role=\"alert\""), "{page}");
        let link = sign_in_link(&SignInLink { token: "abc", user: "admin", next: "/" });
        assert!(link.contains(r#"name="link" value="abc""#), "{link}");
        assert!(link.contains("Sign in as admin</button>"), "{link}");
    }
}
