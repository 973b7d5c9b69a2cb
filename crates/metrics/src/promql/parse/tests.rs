//! What the parser accepts, refuses and says.

use super::*;
use crate::promql::{Options, Query, ast_json, format_query, print};

fn error(text: &str) -> QueryError {
    match parse(text, &Syntax::all()) {
        Ok(expr) => panic!("{text} parsed: {}", print(&expr)),
        Err(error) => error,
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn errors_say_what_where_and_what_to_do() {
    for (text, rendered, hint) in [
        ("", "1:1: parse error: no expression found in input", None),
        ("  # nothing\n", "2:1: parse error: no expression found in input", None),
        ("rat(x[5m])", "1:1: parse error: unknown function with name \"rat\"", Some("did you mean rate?")),
        (
            "holt_winters(x[5m], 0.1, 0.2)",
            "1:1: parse error: unknown function with name \"holt_winters\"",
            Some("did you mean double_exponential_smoothing?"),
        ),
        ("smu(x)", "1:1: parse error: unknown function with name \"smu\"", Some("did you mean sum?")),
        (
            "rate(x)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
            Some("give it a window, such as [5m]"),
        ),
        (
            "sum(x[5m])",
            "1:5: parse error: expected type instant vector in aggregation expression, got range vector",
            Some("reduce the window first, such as with rate(…)"),
        ),
        (
            "clamp(x, 1)",
            "1:1: parse error: expected 3 argument(s) in call to \"clamp\", got 2",
            Some("its arguments are clamp(instant vector, scalar, scalar)"),
        ),
        (
            "foo{",
            "1:5: parse error: unexpected end of input in label matching, expected identifier or \"}\"",
            None,
        ),
        (
            "foo{a=b}",
            "1:7: parse error: unexpected identifier \"b\" in label matching, expected string",
            Some("put the value in quotes"),
        ),
        (
            "foo{a=\"b\" c=\"d\"}",
            "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
            None,
        ),
        ("1 + ", "1:5: parse error: unexpected end of input, expected an expression", None),
        ("a b", "1:3: parse error: unexpected identifier \"b\", expected an operator or the end", None),
        ("sum(a", "1:6: parse error: unexpected end of input in aggregation, expected \",\" or \")\"", None),
        (
            "a[5x]",
            "1:3: parse error: bad number or duration syntax: \"5x\"",
            Some("a duration is written like 5m or 1h30m, with units y, w, d, h, m, s, ms in this order"),
        ),
        ("a[0s]", "1:3: parse error: duration must be greater than 0", None),
        ("a['", "1:3: parse error: unterminated quoted string", Some("close it with '")),
        (
            "(a + b)[5m]",
            "1:8: parse error: ranges only allowed for vector selectors",
            Some("a window over an expression is a subquery: expr[1h:]"),
        ),
        (
            "a offset 5m [1m]",
            "1:13: parse error: no offset modifiers allowed before range",
            Some("write the offset after the range: metric[5m] offset 1h"),
        ),
        (
            "1 == 1",
            "1:3: parse error: comparisons between scalars must use BOOL modifier",
            Some("write == bool"),
        ),
        ("a and 1", "1:3: parse error: set operator \"and\" not allowed in binary scalar expression", None),
        ("a + bool b", "1:5: parse error: bool modifier can only be used on comparison operators", None),
        (
            "a + on(x) group_left(x) b",
            "1:11: parse error: label \"x\" must not occur in ON and GROUP clause at once",
            None,
        ),
        (
            "{a=\"\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher",
            Some("name a metric, or give a matcher that an empty value does not satisfy"),
        ),
        (
            "foo{__name__=\"bar\"}",
            "1:5: parse error: metric name must not be set twice: \"foo\" or \"bar\"",
            None,
        ),
        (
            "a ? b",
            "1:3: parse error: unexpected character: '?'",
            Some("names with other characters are quoted: {\"my.metric\"}"),
        ),
        (
            "up\n + \"x\"",
            "2:4: parse error: binary expression must contain only scalar and instant vector types",
            None,
        ),
        ("\"é\" + sum(", "1:11: parse error: unexpected end of input, expected an expression", None),
        (
            "topk(3)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
            None,
        ),
        ("a @ 1e300", "1:3: parse error: timestamp out of bounds for @ modifier", None),
        (
            "a smoothed anchored",
            "1:12: parse error: anchored and smoothed modifiers cannot be used together or twice",
            None,
        ),
    ] {
        let error = error(text);
        assert_eq!(error.render(text), rendered, "{text}");
        assert_eq!(error.hint.as_deref(), hint, "{text}");
    }
}

#[test]
fn features_that_are_off_are_refused_by_name() {
    for (text, part) in [
        ("mad_over_time(x[5m])", "\"mad_over_time\" is not enabled"),
        ("limitk(1, x)", "limitk() is experimental"),
        ("x[5m + 1m]", "duration expression is not enabled"),
        ("x offset step()", "duration expression is not enabled"),
        ("rate(x[5m] anchored)", "anchored modifier is experimental"),
        ("a + fill(0) b", "fill modifiers are experimental"),
    ] {
        let error = Query::parse(text, &Options::default()).unwrap_err();
        assert!(error.message.contains(part), "{text}: {}", error.message);
        assert!(parse(text, &Syntax::all()).is_ok(), "{text}");
    }
}

#[test]
fn precedence_and_printing() {
    for (text, printed) in [
        ("1+2*3^4^5", "1 + 2 * 3 ^ 4 ^ 5"),
        ("-a^2", "-a ^ 2"),
        ("A and B or c unless D", "A and B or c unless D"),
        ("sum(a)by(b,c)", "sum by (b, c) (a)"),
        ("sum without(b)(a)", "sum without (b) (a)"),
        ("topk  by (x)(3,a)", "topk by (x) (3, a)"),
        ("a+on(x)group_left b", "a + on (x) group_left () b"),
        ("a == bool ignoring() b", "a == bool b"),
        ("foo{a='b',c=~\"d\"}[1h30m] offset -5m", "foo{a=\"b\",c=~\"d\"}[1h30m] offset -5m"),
        ("foo @ 1.5 offset 1m", "foo @ 1.500 offset 1m"),
        ("foo[5m:] @ end()", "foo[5m:] @ end()"),
        ("{\"my.metric\", \"a.b\"=\"c\"}", "{\"my.metric\",\"a.b\"=\"c\"}"),
        ("sum by (\"a.b\") (x)", "sum by (\"a.b\") (x)"),
        ("foo offset 1m + 2m", "foo offset 1m + 2m"),
        ("foo[5m anchored", ""),
        ("rate(foo[step()+1m] smoothed)", "rate(foo[step() + 1m] smoothed)"),
        ("a + fill(0) b", "a + fill (0) b"),
        ("a+fill_left(1)fill_right(2)b", "a + fill_left (1) fill_right (2) b"),
        ("0x1F + Inf", "31 + Inf"),
        ("sum + by", "sum + {\"by\"}"),
        ("offset offset 5m", "{\"offset\"} offset 5m"),
        ("count_values(\"v\\n\", `x`)", ""),
        ("h </ 5", "h </ 5"),
        ("Inf ^ 2", "Inf ^ 2"),
        ("-0s", "-0s"),
    ] {
        match parse(text, &Syntax::all()) {
            Ok(expr) => assert_eq!(print(&expr), printed, "{text}"),
            Err(error) => assert_eq!(printed, "", "{text}: {error}"),
        }
    }
}

#[test]
fn long_queries_are_laid_out() {
    let text = "sum by (job, instance) (rate(http_requests_total{job=\"api\", code=~\"5..\"}[5m])) / sum by (job, instance) (rate(http_requests_total{job=\"api\"}[5m]))";
    let expected = "  sum by (job, instance) (rate(http_requests_total{job=\"api\",code=~\"5..\"}[5m]))\n/\n  sum by (job, instance) (rate(http_requests_total{job=\"api\"}[5m]))";
    assert_eq!(format_query(text, &Syntax::default()).as_deref(), Ok(expected));
}

#[test]
fn spans_cover_what_they_name() {
    let text = "sum by (x) (rate(a_total{b=\"c\"}[5m] offset 1m)) > 2";
    let expr = parse(text, &Syntax::default()).unwrap();
    let mut covered = Vec::new();
    let mut pending = vec![&expr];
    while let Some(expr) = pending.pop() {
        covered.push(expr.span.of(text));
        pending.extend(expr.children());
    }
    for part in [
        text,
        "2",
        "rate(a_total{b=\"c\"}[5m] offset 1m)",
        "a_total{b=\"c\"}[5m] offset 1m",
        "sum by (x) (rate(a_total{b=\"c\"}[5m] offset 1m))",
    ] {
        assert!(covered.contains(&part), "{part} in {covered:?}");
    }
}

#[test]
fn the_tree_as_json_has_prometheus_shape() {
    let expr = parse("topk by (a) (2, x{b!=\"c\"}[5m:1m] @ 3) + 1", &Syntax::default());
    assert!(expr.is_err(), "a subquery is no instant vector");
    let expr = parse("rate(x{b!=\"c\"}[5m] @ 3) + 1", &Syntax::default()).unwrap();
    let expected = serde_json::json!({
        "type": "binaryExpr", "op": "+", "bool": false, "matching": null,
        "lhs": {
            "type": "call",
            "func": {"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"},
            "args": [{
                "type": "matrixSelector", "name": "x", "range": 300_000, "offset": 0, "timestamp": 3000, "startOrEnd": null,
                "anchored": false, "smoothed": false,
                "matchers": [{"name": "b", "value": "c", "type": "!="}, {"name": "__name__", "value": "x", "type": "="}],
            }],
        },
        "rhs": {"type": "numberLiteral", "val": "1"},
    });
    assert_eq!(ast_json(&expr), expected);
}

#[test]
fn series_names_read_in_every_form() {
    for (text, expected) in [
        ("up", "up"),
        ("up{job=\"x\"}", "up{job=\"x\"}"),
        ("{__name__=\"up\", job='x',}", "up{job=\"x\"}"),
        ("{\"a.b\", \"c.d\"=\"e\"}", "a.b{c.d=\"e\"}"),
        ("{}", "{}"),
    ] {
        assert_eq!(parse_metric(text).map(|l| l.to_string()).as_deref(), Ok(expected), "{text}");
    }
    for bad in ["up{job=x}", "up{job!=\"x\"}", "1", "up up", "up{a=\"1\",a=\"2\"}"] {
        assert!(parse_metric(bad).is_err(), "{bad}");
    }
}
