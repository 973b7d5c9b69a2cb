//! The web console's server side: its files, the pages that need no script, and the documentation.
//!
//! It knows nothing of who is signed in and of the API: `api` decides who sees a page and mounts what is here.
//! Invariants: every text that comes from outside goes through [`pages::escape`]; no page holds an inline script
//! or style, so that [`CONTENT_SECURITY_POLICY`] can stay strict.

mod assets;
pub mod docs;
pub mod pages;

pub use assets::{Asset, Source};

/// The paths that answer with the console's one page ([`Source::index`]), in axum's notation. What they show is routed
/// by the page itself, from `web/shell/router.js`. A caller must be signed in to see them.
pub const PAGES: &[&str] = &[
    "/",
    "/explore",
    "/flags",
    "/flags/{*rest}",
    "/audit",
    "/audit/{*rest}",
    "/access",
    "/access/{*rest}",
    "/resources",
    "/resources/{*rest}",
];

/// The `Content-Security-Policy` that every page here works under.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
