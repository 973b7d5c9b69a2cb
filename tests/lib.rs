//! What the end-to-end tests share: starting the binary, talking to it, finding real clients.
