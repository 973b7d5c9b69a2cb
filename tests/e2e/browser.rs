//! The console in a real Chromium: what somebody sees and does, and that the browser has nothing to complain about.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Browser, Http, Locator, Look, Mainstay, skip, until_async};

const WIDE: Look = Look { width: 1440, height: 900, dark: false };
const NARROW: Look = Look { width: 390, height: 844, dark: false };

/// What the page shows of the CPU.
const CPU: &str = "return document.querySelector('ms-overview .figures')?.innerText";

/// Three flags to look at.
const FLAGS: &str = r##"{"flags": {
    "new-checkout": {
      "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
      "targeting": {"fractional": [["on", 25], ["off", 75]]}
    },
    "colour": {"state": "ENABLED", "variants": {"red": "#f00", "blue": "#00f"}, "defaultVariant": "blue"},
    "old-search": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}
}}"##;

/// A server with flags that measures every second, and a browser that is signed in through the one-time link.
async fn signed_in() -> Option<(Mainstay, Http, Browser)> {
    let Some(mut browser) = Browser::start().await else {
        skip("no Chromium or no chromedriver");
        return None;
    };
    let server = Mainstay::start(&["--collect-interval", "1s"]);
    let operator = server.http_as("operator").await;
    let import = json!({"text": FLAGS, "reason": "for the browser"});
    operator.post("/api/mainstay/v1/flags/import", &import).await.ok();
    browser.goto(&server.link()).await;
    let button = browser.client().find(Locator::Css("button.primary")).await.unwrap();
    assert_eq!(button.text().await.unwrap(), "Sign in as admin");
    button.click().await.unwrap();
    browser.wait("the overview", CPU).await;
    Some((server, operator, browser))
}

async fn click(browser: &Browser, selector: &str) {
    let element = browser.client().wait().for_element(Locator::Css(selector)).await.unwrap();
    element.click().await.unwrap();
}

/// Presses keys where the focus is. Chords are written `Control+k`.
async fn press(browser: &Browser, keys: &[&str]) {
    for key in keys {
        let (modifier, key) =
            key.split_once('+').map_or((None, *key), |(modifier, key)| (Some(modifier), key));
        let modifiers = if modifier == Some("Control") { 2 } else { 0 };
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "Tab" => (9, ""),
            "ArrowDown" => (40, ""),
            other => (
                other.to_uppercase().bytes().next().map_or(0, u32::from),
                if modifiers == 0 { other } else { "" },
            ),
        };
        let event = |kind: &str| {
            let mut event =
                json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = Value::from(text);
            }
            event
        };
        browser.chrome_command("Input.dispatchKeyEvent", event("keyDown")).await;
        browser.chrome_command("Input.dispatchKeyEvent", event("keyUp")).await;
    }
}

async fn type_text(browser: &Browser, text: &str) {
    browser.chrome_command("Input.insertText", json!({"text": text})).await;
}

#[tokio::test]
async fn the_overview_shows_this_machines_cpu_moving() {
    let Some((_server, _operator, browser)) = signed_in().await else { return };
    let mut seen: Vec<Value> = Vec::new();
    while seen.len() < 3 {
        let known = serde_json::to_string(&seen).unwrap();
        let script = format!(
            "const now = ({{f: () => {{ {CPU} }}}}).f(); return now && !{known}.includes(now) ? now : null"
        );
        seen.push(browser.wait_within(Duration::from_secs(15), "a figure that moved", &script).await);
    }
    let drawn = "return document.querySelectorAll('ms-chart canvas').length > 0";
    browser.wait("charts", drawn).await;
    browser.close().await;
}

#[tokio::test]
async fn explore_runs_a_query_and_its_address_restores_it() {
    let Some((server, operator, mut browser)) = signed_in().await else { return };
    // The chart ends at a whole step, which must not lie before the first measurement.
    until_async("ten measurements", Duration::from_secs(30), async || {
        let answer = operator.get("/api/v1/query?query=count_over_time(node_load1[1m])").await.ok();
        let count = answer["data"]["result"][0]["value"][1].as_str()?.parse::<u32>().ok()?;
        (count >= 10).then_some(())
    })
    .await;
    click(&browser, "nav.side a[href='/explore']").await;
    // The editor has a shadow root, into which selectors do not reach.
    let focus = "const e = document.querySelector('ms-editor')?.shadowRoot?.querySelector('.cm-content'); e?.focus(); return Boolean(e)";
    browser.wait("the editor", focus).await;
    type_text(&browser, "count(node_cpu_seconds_total{mode=\"idle\"})").await;
    click(&browser, "ms-explore button.primary").await;
    browser.wait("a chart of the query", "return document.querySelector('ms-explore ms-chart canvas')").await;
    let path = browser.path().await;
    assert!(path.contains("q=count"), "{path}");
    browser.goto(&format!("{}{path}&view=table", server.base())).await;
    let processors = std::thread::available_parallelism().unwrap().get();
    let script =
        format!("return document.querySelector('ms-explore table')?.innerText.includes('{processors}')");
    browser.wait("the number of processors in the table", &script).await;
    browser.note_complaints("explore").await;

    browser.goto(&format!("{}/explore?q=sum(", server.base())).await;
    browser
        .wait("the refusal of a wrong query", "return document.querySelector('ms-explore .refusal')")
        .await;
    // The refused query is a failed request on purpose; it is the one complaint.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|complaint| complaint.contains("400")), "{complaints:?}");
    browser.close().await;
}

#[tokio::test]
async fn a_flag_is_flipped_with_a_reason_and_the_ledger_says_so() {
    let Some((server, operator, mut browser)) = signed_in().await else { return };
    browser.goto(&format!("{}/flags/new-checkout", server.base())).await;
    let find = "const b = [...document.querySelectorAll('button')].find((b) => /^(turn off|disable)/i.test(b.innerText.trim()));";
    browser.wait("the kill switch", &format!("{find} b?.click(); return Boolean(b)")).await;
    browser.wait("the dialog", "return document.querySelector('dialog[open]')").await;
    type_text(&browser, "too many errors").await;
    browser.screenshot("flag-turn-off").await;
    press(&browser, &["Enter"]).await;
    until_async("the flag to be off", Duration::from_secs(10), async || {
        let flag = operator.get("/api/mainstay/v1/flags/new-checkout").await.ok();
        (flag["state"] == "DISABLED").then_some(())
    })
    .await;
    let button = "[...document.querySelectorAll('button')].some((b) => /^turn on/i.test(b.innerText.trim()))";
    browser.wait("the page to say so", &format!("return {button}")).await;
    let history = operator.get("/api/mainstay/v1/resources/Flag/new-checkout/history").await.ok();
    assert_eq!(history["items"][0]["reason"], "too many errors");
    assert!(history["items"][0]["actor"].to_string().contains("admin"), "{history}");
    browser.goto(&format!("{}/audit", server.base())).await;
    browser
        .wait(
            "the change in the audit",
            "return document.querySelector('main').innerText.includes('too many errors')",
        )
        .await;
    browser.close().await;
}

#[tokio::test]
async fn a_change_elsewhere_appears_without_a_reload() {
    let Some((server, operator, mut browser)) = signed_in().await else { return };
    browser.goto(&format!("{}/flags", server.base())).await;
    let row = "[...document.querySelectorAll('tr')].find((row) => row.innerText.includes('colour'))";
    browser.wait("the flag", &format!("return {row}?.innerText.toLowerCase().includes('enabled')")).await;
    operator.post("/api/mainstay/v1/flags/colour/disable", &json!({"reason": "elsewhere"})).await.ok();
    browser
        .wait("its new state", &format!("return {row}?.innerText.toLowerCase().includes('disabled')"))
        .await;
    browser.close().await;
}

#[tokio::test]
async fn the_keyboard_alone_suffices() {
    let Some((_server, operator, mut browser)) = signed_in().await else { return };
    press(&browser, &["g", "f"]).await;
    browser
        .wait(
            "the flags",
            "return location.pathname === '/flags' && document.querySelector('ms-flags tbody tr')",
        )
        .await;
    press(&browser, &["/"]).await;
    browser.wait("the filter's focus", "return document.activeElement.matches('[data-search]')").await;
    type_text(&browser, "colour").await;
    browser.wait("one row", "return document.querySelectorAll('ms-flags tbody tr').length === 1").await;
    press(&browser, &["Escape", "Control+k"]).await;
    browser
        .wait("the palette", "return document.querySelector('dialog[open] input') === document.activeElement")
        .await;
    type_text(&browser, "old-search").await;
    browser
        .wait(
            "the flag in the palette",
            "return document.querySelector('dialog[open]').innerText.includes('old-search')",
        )
        .await;
    press(&browser, &["Enter"]).await;
    let page = "return document.querySelector('ms-flag') && !document.querySelector('dialog[open]')";
    browser.wait("the flag's page", page).await;
    press(&browser, &["?"]).await;
    browser
        .wait("the keys", "return document.querySelector('dialog[open]')?.innerText.includes('Keys')")
        .await;
    press(&browser, &["Escape"]).await;
    browser.wait("no dialog", "return !document.querySelector('dialog[open]')").await;
    assert_eq!(operator.get("/api/mainstay/v1/flags/old-search").await.ok()["state"], "DISABLED");
    browser.note_complaints("keyboard").await;
    browser.close().await;
}

#[tokio::test]
async fn signing_out_and_in_again_leads_back_to_the_page() {
    let Some((server, _operator, mut browser)) = signed_in().await else { return };
    let made = server.run(&["user", "link", "admin"]);
    let link = made
        .stdout
        .split_whitespace()
        .find(|word| word.contains("link="))
        .unwrap_or_else(|| panic!("{made:?}"));
    browser.client().delete_all_cookies().await.unwrap();
    browser.goto(&format!("{}/flags?q=colour", server.base())).await;
    assert!(browser.path().await.starts_with("/sign-in?next="), "{}", browser.path().await);
    browser.screenshot("sign-in").await;
    browser.goto(link).await;
    click(&browser, "button.primary").await;
    browser.wait("the overview", CPU).await;
    browser.close().await;
}

/// Every page, in light and dark, wide and narrow: nothing to complain about, nothing wider than the window, and a
/// picture for a person to look at.
#[tokio::test]
async fn every_page_is_clean_in_every_look() {
    let Some((server, operator, mut browser)) = signed_in().await else { return };
    let context = json!({"context": {"targetingKey": "u1"}});
    for _ in 0..20 {
        server.http().post("/ofrep/v1/evaluate/flags/new-checkout", &context).await.ok();
    }
    operator
        .post("/api/mainstay/v1/flags/colour/set", &json!({"defaultVariant": "red", "reason": "warmer"}))
        .await
        .ok();
    let pages = [
        ("explore-empty", "/explore"),
        ("flags", "/flags"),
        ("flag", "/flags/new-checkout"),
        ("flags-debt", "/flags?view=debt"),
        ("flags-new", "/flags?view=new"),
        ("resources", "/resources"),
        ("audit", "/audit"),
        ("access", "/access"),
        ("docs", "/docs"),
        // Last, when there is something measured to look at.
        ("overview", "/"),
        (
            "explore",
            "/explore?q=sum%20by%20(mode)%20(rate(node_cpu_seconds_total%7Bmode!%3D%22idle%22%7D%5B1m%5D))",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, path) in pages {
        for (size, look) in [("1440", WIDE), ("390", NARROW)] {
            for dark in [false, true] {
                let scheme = if dark { "dark" } else { "light" };
                browser.look(Look { dark, ..look }).await;
                browser.goto(&format!("{}{path}", server.base())).await;
                browser.wait(name, "return !document.querySelector('.skeleton') && !document.querySelector('[aria-busy=true]')").await;
                browser.screenshot(&format!("{name}-{size}-{scheme}")).await;
                let wide = browser.script("return document.documentElement.scrollWidth - innerWidth").await;
                if wide.as_f64().is_some_and(|wide| wide > 0.0) {
                    wrong.push(format!("{name} at {size}: {wide} pixels wider than the window"));
                }
                let nameless = browser.script(NAMELESS).await;
                if nameless.as_array().is_none_or(|found| !found.is_empty()) {
                    wrong.push(format!("{name} at {size}: controls without a name: {nameless}"));
                }
                browser.note_complaints(&format!("{name} at {size}, {scheme}")).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    browser.close().await;
}

/// Controls that a screen reader could not name.
const NAMELESS: &str = "
    const named = (e) => e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.innerText?.trim()
      || e.labels?.length || e.title || e.querySelector('img[alt]')?.alt;
    return [...document.querySelectorAll('button, a[href], input:not([type=hidden]), select, textarea')]
      .filter((e) => e.checkVisibility({visibilityProperty: true}) && !named(e)).map((e) => e.outerHTML.slice(0, 120));";
