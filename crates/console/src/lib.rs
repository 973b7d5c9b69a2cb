//! The web console's server side: its files, the pages that need no script, and the documentation.
//!
//! It knows nothing of who is signed in and of the API: `api` decides who sees a page and mounts what is here.
//! Invariants: every text that comes from outside goes through [`pages::escape`]; no page holds an inline script
//! or style, so that [`CONTENT_SECURITY_POLICY`] can stay strict.

mod assets;
pub mod docs;
pub mod pages;
mod router;

pub use assets::{Asset, Source};
pub use router::{PAGES, router};

/// The `Content-Security-Policy` that every page here works under.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
