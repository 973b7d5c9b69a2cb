//! How quick an evaluation is: per second on one core, for the shapes of flags that people have.
//!
//! Prints one figure a line, `NAME VALUE UNIT`. The floor is checked here: 2 million evaluations/s of a targeted
//! fractional flag. For a profiler, `cargo bench -p benches --bench flags -- --count N [CASE]` evaluates exactly N times
//! without looking at the clock, such as `valgrind --tool=callgrind TARGET/flags-… --count 100000 targeted_fractional`.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flags::{Context, State, apply, decide, flagd};
use kernel::Timestamp;
use serde_json::json;

/// How long each rate is measured, after as long a time to warm up.
const MEASURED: Duration = Duration::from_secs(1);
/// Evaluations between two looks at the clock.
const BATCH: u64 = 1_000;
/// Flags in the state: the lookup should cost what it costs in a large house.
const OTHERS: usize = 1_000;
const LEAST_PER_SECOND: f64 = 2_000_000.0;

/// A figure's name, the flag, and whether the floor holds for it.
const CASES: [(&str, &str, bool); 6] = [
    ("static", "static", false),
    ("targeted", "targeted", false),
    ("fractional", "fractional", true),
    ("targeted_fractional", "targeted-fractional", true),
    ("shared_evaluator", "shared-evaluator", false),
    ("sem_ver", "sem-ver", false),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (state, context, now) = match world() {
        Ok(world) => world,
        Err(why) => {
            eprintln!("flags: {why}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(at) = arguments.iter().position(|argument| argument == "--count") {
        let count: u64 = arguments.get(at + 1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
        let chosen = arguments.get(at + 2).map_or("targeted_fractional", String::as_str);
        for (_, key, _) in CASES.iter().filter(|(name, _, _)| *name == chosen) {
            evaluate(&state, key, &context, now, count);
        }
        return ExitCode::SUCCESS;
    }
    let mut good = true;
    for (name, key, floor) in CASES {
        let rate = per_second(|count| evaluate(&state, key, &context, now, count));
        println!("evaluate_{name} {rate:.0} evaluations/s");
        good &= !floor || rate >= LEAST_PER_SECOND;
    }
    let each = state.flags().len() as f64;
    let rate = per_second(|count| {
        for _ in 0..count / BATCH {
            black_box(state.evaluate_all(None, black_box(&context), now).count());
        }
    });
    println!("evaluate_all {:.0} evaluations/s", rate / BATCH as f64 * each);
    if good {
        ExitCode::SUCCESS
    } else {
        eprintln!("flags: a floor was missed");
        ExitCode::FAILURE
    }
}

fn evaluate(state: &State, key: &str, context: &Context, now: Timestamp, count: u64) {
    for _ in 0..count {
        black_box(state.evaluate(black_box(key), None, black_box(context), now));
    }
}

/// Runs `work(BATCH)` over and over and answers how many of its units a core does in a second.
fn per_second(work: impl Fn(u64)) -> f64 {
    let mut rate = 0.0;
    // The first round warms up.
    for _ in 0..2 {
        let (started, on_core, mut done) = (Instant::now(), time_on_core(), 0_u64);
        while started.elapsed() < MEASURED {
            work(BATCH);
            done += BATCH;
        }
        let elapsed = match (on_core, time_on_core()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => started.elapsed(),
        };
        rate = done as f64 / elapsed.as_secs_f64();
    }
    rate
}

/// How long this thread has been on a core: what others do on the machine does not count. Linux only.
fn time_on_core() -> Option<Duration> {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedule.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn world() -> Result<(State, Context, Timestamp), String> {
    let mut file = json!({
        "flags": {
            "static": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
            "targeted": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                "targeting": {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on"]}},
            "fractional": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                "targeting": {"fractional": [["on", 25], ["off", 75]]}},
            "targeted-fractional": {"state": "ENABLED", "defaultVariant": "control",
                "variants": {"control": {"layout": 1}, "wide": {"layout": 2}, "narrow": {"layout": 3}},
                "metadata": {"team": "checkout"},
                "targeting": {"if": [
                    {"in": [{"var": "country"}, ["DE", "FR", "CA"]]},
                    {"fractional": [
                        {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]},
                        ["control", 50], ["wide", 25], ["narrow", 25]]},
                    null]}},
            "shared-evaluator": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                "targeting": {"if": [{"$ref": "is_staff"}, "on", {"fractional": [["on", 10], ["off", 90]]}]}},
            "sem-ver": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                "targeting": {"if": [{"sem_ver": [{"var": "version"}, ">=", "2.1.0"]}, "on"]}},
        },
        "$evaluators": {"is_staff": {"and": [
            {"ends_with": [{"var": "email"}, "@mainstay.example"]}, {"==": [{"var": "user.role"}, "staff"]}]}},
        "metadata": {"flagSetId": "bench"}
    });
    if let Some(flags) = file.get_mut("flags").and_then(|flags| flags.as_object_mut()) {
        for i in 0..OTHERS {
            let flag =
                json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"});
            flags.insert(format!("some-service-feature-{i:04}"), flag);
        }
    }
    let now = Timestamp::from_secs(1_795_461_300);
    let mut state = State::default();
    let import = flagd::import(&file.to_string()).map_err(|problems| format!("{problems:?}"))?;
    let facts =
        decide(&state, import.into_command(&state, "default"), now).map_err(|refusal| refusal.to_string())?;
    for fact in &facts {
        apply(&mut state, fact, now);
    }
    state.rebuild();
    let context = Context::default()
        .with("targetingKey", "5c3d8535-f81a-4478-a6d3-afaa4d51199e")
        .with("email", "ada@example.com")
        .with("country", "CA")
        .with("version", "2.10.3")
        .with("user", json!({"name": "Ada", "role": "customer"}));
    Ok((state, context, now))
}
