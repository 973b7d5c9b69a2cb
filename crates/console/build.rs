//! Rebuilds the crate when an embedded file changes; the macro that embeds them cannot say so itself.

fn main() {
    println!("cargo:rerun-if-changed=web");
    println!("cargo:rerun-if-changed=../../docs");
}
