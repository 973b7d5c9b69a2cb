use kernel::{Labels, METRIC_NAME};
use proptest::prelude::*;

use super::*;

/// Families in a line each: `name type "help" unit: sample; sample`.
fn show(families: &[Family]) -> String {
    let sample = |s: &FamilySample| {
        let time = s.timestamp.map_or_else(String::new, |t| format!(" @{t}"));
        let exemplar = s.exemplar.as_ref().map_or_else(String::new, |e| {
            let time = e.timestamp.map_or_else(String::new, |t| format!(" @{t}"));
            format!(" # {} {}{time}", e.labels, e.value)
        });
        format!("{} {}{time}{exemplar}", s.labels, s.value)
    };
    let one = |f: &Family| {
        let m = &f.metadata;
        let samples: Vec<String> = f.samples.iter().map(sample).collect();
        format!("{} {:?} {:?} {}: {}", m.name, m.kind, m.help, m.unit, samples.join("; "))
    };
    families.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn read(text: &str, format: Format) -> String {
    match parse(text, format) {
        Ok(families) => show(&families),
        Err(problem) => {
            let at = problem.at.unwrap();
            format!("{}:{} {}", at.line, at.column, problem.message)
        }
    }
}

#[test]
fn the_text_format_is_read() {
    for (text, expected) in [
        ("", ""),
        ("up 1\n", "up Unknown \"\" : up 1"),
        ("# a comment\n\n   \t\nup 1", "up Unknown \"\" : up 1"),
        (
            "# HELP http_requests_total The \\\\ \\n \"total\" \\x.\n# TYPE http_requests_total counter\nhttp_requests_total{method=\"post\",code=\"200\",} 1027 1395066363000\n",
            "http_requests_total Counter \"The \\\\ \\n \\\"total\\\" \\\\x.\" : http_requests_total{code=\"200\", method=\"post\"} 1027 @1395066363000",
        ),
        (
            "# TYPE rpc summary\nrpc{quantile=\"0.5\"} 4\nrpc_sum 1.7e7\nrpc_count 2693\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} +Inf\nh_sum NaN\nh_count 1\nh 3\n",
            "rpc Summary \"\" : rpc{quantile=\"0.5\"} 4; rpc_sum 17000000; rpc_count 2693\nh Histogram \"\" : h_bucket{le=\"+Inf\"} inf; h_sum NaN; h_count 1; h 3",
        ),
        ("m { a = \"q\\\"\\\\\\n\" , }\t-1\n", "m Unknown \"\" : m{a=\"q\\\"\\\\\\n\"} -1"),
        (
            "{\"my.metric\",\"a b\"=\"c\",d=\"e\"} 1\n",
            "my.metric Unknown \"\" : my.metric{a b=\"c\", d=\"e\"} 1",
        ),
        (
            "# TYPE \"my.metric\" gauge\n# HELP \"my.metric\" x\n{\"my.metric\"} 1\n",
            "my.metric Gauge \"x\" : my.metric 1",
        ),
        ("m{a=\"\"}1\n", "m Unknown \"\" : m 1"),
        (
            "# TYPE a gauge\na 1\nb 2\na{x=\"1\"} 3\n",
            "a Gauge \"\" : a 1; a{x=\"1\"} 3\nb Unknown \"\" : b 2",
        ),
        ("# TYPE unused counter\n# TYPE u untyped\nu 1\r\n", "u Unknown \"\" : u 1"),
        ("m 1 # {a=\"b\"} 1\n", "1:5 unexpected `# {a=\"b\"} 1`"),
        ("m\n", "1:2 expected a space before the value"),
        ("m x\n", "1:3 expected a value, found `x`"),
        ("m 0x1p3\n", "1:3 expected a value, found `0x1p3`"),
        ("m 1_0\n", "1:3 expected a value, found `1_0`"),
        ("m 1e999\n", "1:3 a value `1e999` is too large"),
        ("m 1 1.5\n", "1:5 expected a timestamp in milliseconds, found `1.5`"),
        ("ok 1\nm{é=\"1\"} 1\n", "2:3 expected a label name, found 'é'"),
        ("m{a=\"1\",a=\"2\"} 1\n", "1:2 label \"a\" is given twice"),
        ("m{a=\"1\"b=\"2\"} 1\n", "1:8 expected `,` or `}` after a label"),
        ("m{a=\"1} 1\n", "1:5 a label value is not closed by a quote"),
        ("m{__name__=\"x\"} 1\n", "1:3 `__name__` is not written as a label"),
        ("{a=\"b\"} 1\n", "1:1 a sample has no metric name"),
        ("{\"\"} 1\n", "1:2 a name is empty"),
        ("0m 1\n", "1:1 expected a metric name, found '0'"),
        ("# TYPE m gouge\n", "1:10 `gouge` is not a metric type"),
        ("# TYPE m gauge\nm 1\n# TYPE m gauge\nm{a=\"1\"} 2\n", "m Gauge \"\" : m 1; m{a=\"1\"} 2"),
        ("# TYPE m gauge\n# TYPE m counter\n", "2:10 a second TYPE for `m`"),
        ("m 1\n# TYPE m histogram\n", "m Histogram \"\" : m 1"),
        (
            "# TYPE h histogram\nh_created 1\n# TYPE h_created counter\n",
            "3:8 `h_created` already stands as a sample of `h`",
        ),
    ] {
        assert_eq!(read(text, Format::Text), expected, "{text}");
    }
}

#[test]
fn open_metrics_is_read() {
    for (text, expected) in [
        ("# EOF\n", ""),
        ("# EOF", ""),
        (
            "# TYPE acme_http counter\n# UNIT acme_http \n# HELP acme_http A \\\"quoted\\\" one.\nacme_http_total{code=\"200\"} 5 1520879607.789 # {trace_id=\"KOO5\"} 0.67 1.5\nacme_http_created{code=\"200\"} 1.5\n# EOF\n",
            "acme_http_total Counter \"A \\\"quoted\\\" one.\" : acme_http_total{code=\"200\"} 5 @1520879607789 # {trace_id=\"KOO5\"} 0.67 @1500; acme_http_created{code=\"200\"} 1.5",
        ),
        (
            "# TYPE t_seconds histogram\n# UNIT t_seconds seconds\nt_seconds_bucket{le=\"1.0\"} 1 # {} 0.5\nt_seconds_sum 1\nt_seconds_count 1\nt_seconds_created 9\n# EOF\n",
            "t_seconds Histogram \"\" seconds: t_seconds_bucket{le=\"1.0\"} 1 # {} 0.5; t_seconds_sum 1; t_seconds_count 1; t_seconds_created 9",
        ),
        ("# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n", "build_info Info \"\" : build_info{v=\"1\"} 1"),
        (
            "# TYPE s stateset\ns{s=\"a\"} 1\n# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 2\ng_gcount 2\ng_gsum 3\n# EOF\n",
            "s StateSet \"\" : s{s=\"a\"} 1\ng GaugeHistogram \"\" : g_bucket{le=\"+Inf\"} 2; g_gcount 2; g_gsum 3",
        ),
        ("m 1\n", "2:1 `# EOF` is missing: the exposition was cut off"),
        ("# EOF\nm 1\n", "2:1 nothing may follow `# EOF`"),
        ("\n# EOF\n", "1:1 a line is empty"),
        ("# hello\n# EOF\n", "1:3 expected HELP, TYPE, UNIT or EOF after `# `, found `hello`"),
        (
            "# TYPE a gauge\na 1\n# HELP a late\n# EOF\n",
            "3:8 metadata of `a` comes after its samples or between another family's",
        ),
        (
            "# TYPE h histogram\nh 2\n# EOF\n",
            "2:1 a sample called `h` does not fit the type of the family `h`",
        ),
        ("a 1\nb 1\na{x=\"1\"} 2\n# EOF\n", "3:1 samples of `a` are torn apart by another family"),
        ("# UNIT a seconds\na 1\n# EOF\n", "1:10 the unit `seconds` does not end the name `a`"),
        ("# HELP a x\n# HELP a y\n# EOF\n", "2:10 a second HELP for `a`"),
        ("m{a=\"b\"}1\n# EOF\n", "1:9 expected a space before the value"),
        ("m 1 99999999999999999999\n# EOF\n", "1:5 a timestamp is out of range"),
    ] {
        assert_eq!(read(text, Format::OpenMetrics), expected, "{text}");
    }
    let long = format!("m 1 # {{a=\"{}\"}} 1\n# EOF\n", "é".repeat(MAX_EXEMPLAR_CHARS));
    assert_eq!(
        read(&long, Format::OpenMetrics),
        "1:7 an exemplar's labels hold 129 characters; at most 128 are allowed"
    );
}

#[test]
fn each_limit_is_named_when_it_is_reached() {
    let limits = Limits { bytes: 60, samples: 2, labels: 2, name_bytes: 8, value_bytes: 8 };
    for (text, expected) in [
        ("m{a=\"1\",b=\"2\"} 1\nm 2\n", "good"),
        ("m 1\nm 2\nm 3\n", "more than 2 samples"),
        ("m{a=\"1\",b=\"2\",c=\"3\"} 1\n", "a sample has more than 2 labels"),
        ("mmmmmmmmm 1\n", "a metric name is longer than 8 bytes"),
        ("{\"mmmmmmmmm\"} 1\n", "a name is longer than 8 bytes"),
        ("m{a=\"123456789\"} 1\n", "a label value is longer than 8 bytes"),
        ("# HELP m 123456789\n", "a help text is longer than 8 bytes"),
        (&"#\n".repeat(31), "the exposition is 62 bytes; at most 60 are read"),
    ] {
        let found =
            parse_within(text, Format::Text, &limits).err().map_or_else(|| "good".to_owned(), |p| p.message);
        assert_eq!(found, expected, "{text}");
    }
}

/// One of each thing the formats treat differently.
fn assorted() -> Vec<Family> {
    let labels = |pairs: &[(&'static str, &'static str)]| Labels::new(pairs.iter().copied()).unwrap();
    let family = |name: &str, kind, help: &str, unit: &str, samples| Family {
        metadata: FamilyMetadata { name: name.into(), kind, help: help.into(), unit: unit.into() },
        samples,
    };
    let mut timed = FamilySample::new(labels(&[(METRIC_NAME, "r_total"), ("a", "x\"\\\n")]), 1e21);
    timed.timestamp = Some(-1500);
    timed.exemplar = Some(Exemplar { labels: labels(&[("t", "1")]), value: 0.1, timestamp: Some(1) });
    vec![
        family(
            "r_total",
            MetricType::Counter,
            "Say \"r\"\n",
            "",
            vec![timed, FamilySample::new(labels(&[(METRIC_NAME, "r_created")]), 5.0)],
        ),
        family(
            "odd",
            MetricType::Counter,
            "",
            "",
            vec![FamilySample::new(labels(&[(METRIC_NAME, "odd")]), 0.000001)],
        ),
        family(
            "a.b_seconds",
            MetricType::Gauge,
            "U",
            "seconds",
            vec![FamilySample::new(labels(&[(METRIC_NAME, "a.b_seconds"), ("c d", "e")]), f64::NEG_INFINITY)],
        ),
        family(
            "b_info",
            MetricType::Info,
            "",
            "",
            vec![FamilySample::new(labels(&[(METRIC_NAME, "b_info")]), 1.0)],
        ),
        family("none", MetricType::Gauge, "", "", vec![]),
    ]
}

#[test]
fn families_are_written_in_both_formats() {
    let families = assorted();
    let text = "\
# HELP r_total Say \"r\"\\n
# TYPE r_total counter
r_total{a=\"x\\\"\\\\\\n\"} 1e21 -1500
# HELP r_created Say \"r\"\\n
# TYPE r_created gauge
r_created 5
# TYPE odd counter
odd 1e-6
# HELP \"a.b_seconds\" U
# TYPE \"a.b_seconds\" gauge
{\"a.b_seconds\",\"c d\"=\"e\"} -Inf
# TYPE b_info gauge
b_info 1
";
    assert_eq!(encode(&families, Format::Text), text);
    let open_metrics = "\
# HELP r Say \\\"r\\\"\\n
# TYPE r counter
r_total{a=\"x\\\"\\\\\\n\"} 1e21 -1.500 # {t=\"1\"} 0.1 0.001
r_created 5
# TYPE odd unknown
odd 1e-6
# HELP \"a.b_seconds\" U
# TYPE \"a.b_seconds\" gauge
# UNIT \"a.b_seconds\" seconds
{\"a.b_seconds\",\"c d\"=\"e\"} -Inf
# TYPE b info
b_info 1
# EOF
";
    assert_eq!(encode(&families, Format::OpenMetrics), open_metrics);
}

#[test]
fn formats_are_negotiated() {
    for (accept, expected) in [
        ("", Format::Text),
        ("*/*", Format::Text),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
            Format::OpenMetrics,
        ),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", Format::Text),
        ("application/json", Format::Text),
    ] {
        assert_eq!(Format::negotiate(accept), expected, "{accept}");
    }
    for format in [Format::Text, Format::OpenMetrics] {
        assert_eq!(Format::of_content_type(format.content_type()), Some(format));
    }
    assert_eq!(Format::of_content_type("application/json"), None);
}

/// Labels, suffix, value, time, exemplar.
type Drawn = (
    std::collections::BTreeMap<String, String>,
    prop::sample::Index,
    f64,
    Option<i64>,
    Option<(u64, f64, Option<i64>)>,
);

/// Well-formed families: what collectors give. Types the text format has no word for are left out of it.
fn any_families(format: Format) -> impl Strategy<Value = Vec<Family>> {
    let kinds: Vec<MetricType> = match format {
        Format::Text => vec![
            MetricType::Counter,
            MetricType::Gauge,
            MetricType::Histogram,
            MetricType::Summary,
            MetricType::Unknown,
        ],
        Format::OpenMetrics => vec![
            MetricType::Counter,
            MetricType::Gauge,
            MetricType::Histogram,
            MetricType::Summary,
            MetricType::Unknown,
            MetricType::GaugeHistogram,
            MetricType::Info,
            MetricType::StateSet,
        ],
    };
    let text = prop_oneof![any::<String>(), "[a-z\"\\\\\n{}#, ]{0,6}"];
    let pairs = prop::collection::btree_map(
        prop_oneof!["[a-z_][a-z0-9_]{0,4}", "[é. \"=\n]{1,3}"],
        text.clone(),
        0..4,
    );
    let value = prop_oneof![any::<f64>(), Just(f64::INFINITY), any::<u32>().prop_map(f64::from)];
    // OpenMetrics writes seconds as floats: times of this era are exact in milliseconds.
    let time = prop::option::of(-4_000_000_000_000_i64..4_000_000_000_000);
    let exemplar = prop::option::of((any::<u64>(), value.clone(), time.clone()));
    let exemplars = format == Format::OpenMetrics;
    let sample = (pairs, any::<prop::sample::Index>(), value, time, exemplar);
    let family = (prop::sample::select(kinds), text, prop::collection::vec(sample, 1..4), "[a-zé.]{1,3}");
    prop::collection::vec(family, 0..5).prop_map(move |families| {
        let build = |(i, (kind, help, samples, stem)): (usize, (MetricType, String, Vec<_>, String))| {
            // Numbered, so that no family's name is another's with a suffix.
            let stem = format!("{stem}{i}x");
            let name = format!("{stem}{}", kinds::hidden_suffix(kind).unwrap_or_default());
            let samples = samples.into_iter().map(|(pairs, suffix, value, timestamp, exemplar): Drawn| {
                let choices: Vec<_> =
                    kinds::suffixes(kind).iter().filter(|s| exemplars || **s != "_created").collect();
                let labels = pairs
                    .into_iter()
                    .chain([(METRIC_NAME.to_owned(), format!("{name}{}", suffix.get(&choices)))]);
                let exemplar = exemplar.filter(|_| exemplars).map(|(id, value, timestamp)| Exemplar {
                    labels: Labels::new([("id", id.to_string())]).unwrap(),
                    value,
                    timestamp,
                });
                FamilySample { labels: Labels::new(labels).unwrap(), value, timestamp, exemplar }
            });
            let samples = samples.collect();
            Family { metadata: FamilyMetadata { name, kind, help, unit: String::new() }, samples }
        };
        families.into_iter().enumerate().map(build).collect()
    })
}

proptest! {
    #[test]
    fn text_is_read_as_it_was_written(families in any_families(Format::Text)) {
        let text = encode(&families, Format::Text);
        prop_assert_eq!(read(&text, Format::Text), show(&families), "{}", text);
    }

    #[test]
    fn open_metrics_is_read_as_it_was_written(families in any_families(Format::OpenMetrics)) {
        let text = encode(&families, Format::OpenMetrics);
        prop_assert_eq!(read(&text, Format::OpenMetrics), show(&families), "{}", text);
    }

    #[test]
    fn any_text_is_survived(
        lines in prop::collection::vec("(# (TYPE|HELP|UNIT|EOF) )?(a|a_total|a_sum|a_created|\\{)?([-a{}=\",# 1.\\\\é\r\t]{0,12}| (counter|histogram|info|1))", 0..6),
    ) {
        fuzz_one(lines.join("\n").as_bytes());
        fuzz_one(format!("{}\n# EOF\n", lines.join("\n")).as_bytes());
    }

    #[test]
    fn families_in_any_order_are_survived(
        lines in prop::collection::vec(
            "# TYPE (a|a_total|a_sum|a_created|a_info|a_gcount|a_s) (counter|histogram|gauge|summary|info|gaugehistogram|stateset|unknown)|(a|a_total|a_sum|a_created|a_info|a_gcount|a_bucket|a_s)(\\{x=\"[12]\"\\})? [12]( [34])?( # \\{\\} 1)?|# UNIT (a|a_s) s|# HELP (a|a_sum) x",
            0..8,
        ),
    ) {
        fuzz_one(lines.join("\n").as_bytes());
        fuzz_one(format!("{}\n# EOF\n", lines.join("\n")).as_bytes());
    }
}
