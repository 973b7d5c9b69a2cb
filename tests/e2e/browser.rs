//! The console in a real Chromium.

use tests::Browser;

#[tokio::test]
async fn a_page_is_shown() {
    let mut browser = Browser::start().await.unwrap();
    browser.goto("data:text/html,<h1>hello</h1><script>console.error('x')</script>").await;
    browser.wait("the heading", "return document.querySelector('h1')").await;
    assert_eq!(browser.text().await, "hello");
    assert_eq!(browser.complaints().await.len(), 1);
    browser.close().await;
}
