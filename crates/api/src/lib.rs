//! The HTTP face: Mainstay's own API and each foreign one. One file per chapter or protocol.
//!
//! Every route is an [`Endpoint`] of one table, from which come the router, the OpenAPI description and the test that
//! asks each route as each role. Handlers translate and nothing else: what may be done is decided in `operations`.

mod access;
mod answer;
mod caller;
mod endpoint;
mod extract;
mod facts;
mod flags;
mod guard;
mod hooks;
mod host;
pub mod listen;
mod metrics;
mod ofrep;
mod openapi;
mod pages;
mod prometheus;
mod resources;
mod server;
mod status;
mod watch;

pub use endpoint::{Endpoint, Needs};
pub use server::{Server, ServerOptions, router};
pub use status::About;

/// Every route of the binary, in the order they are described.
pub fn endpoints() -> Vec<Endpoint> {
    [
        status::endpoints(),
        access::endpoints(),
        host::endpoints(),
        resources::endpoints(),
        facts::endpoints(),
        flags::endpoints(),
        hooks::endpoints(),
        metrics::endpoints(),
        prometheus::endpoints(),
        ofrep::endpoints(),
        openapi::endpoints(),
        pages::endpoints(),
    ]
    .concat()
}
