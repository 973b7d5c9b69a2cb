//! flagd's own evaluator suite, from the folder of public conformance suites beside the project.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

use std::fs;
use std::path::{Path, PathBuf};

use flags::conformance::{Report, Source, run};
use kernel::Timestamp;

const SUITE: &str = "../../../shared/conformance/flags/evaluator";

fn sources(folder: &Path, extension: &str) -> Vec<Source> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    let read = |path: &PathBuf| Source {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    files.iter().map(read).collect()
}

fn now() -> Timestamp {
    "2026-11-23T19:15:00Z".parse().unwrap()
}

fn check(feature: &str, flags: &str) -> Report {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    run(&[source("a.feature", feature)], &[source("flags.json", flags)], now()).unwrap()
}

#[test]
fn flagds_evaluator_suite_passes_entirely() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join(SUITE);
    if !suite.is_dir() {
        eprintln!("SKIPPED: {} is not there; flagd's evaluator suite was not run", suite.display());
        return;
    }
    let report =
        run(&sources(&suite.join("gherkin"), "feature"), &sources(&suite.join("flags"), "json"), now())
            .unwrap();
    println!("{report}");
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.passed() > 100, "{report}");
    // Nothing is left out but the rows for the former hash.
    for file in &report.files {
        assert!(file.passed > 0, "{report}");
        for skipped in &file.skipped {
            assert!(skipped.why.contains("former hash"), "{report}");
        }
    }
}

const FLAGS: &str = r#"{"flags": {
    "b": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on", "metadata": {"n": 1}},
    "n": {"state": "ENABLED", "variants": {"big": 9007199254740991, "half": 0.5}, "defaultVariant": "big",
          "targeting": {"if": [{"var": "half"}, "half"]}},
    "t": {"state": "ENABLED", "variants": {"yes": "Y", "no": "N"}, "defaultVariant": "no",
          "targeting": {"if": [{"==": [{"var": "user.tier"}, "gold"]}, "yes"]}}
}}"#;

#[test]
fn rules_backgrounds_outlines_tables_and_docstrings_are_understood() {
    let report = check(
        r#"
@suite
Feature: Everything the language has
  A description.

  Background:
    Given an evaluator

  Scenario Outline: an outline
    # a comment
    Given a <type>-flag with key "<key>" and a fallback value "<default>"
    When the flag was evaluated with details
    Then the resolved details value should be "<value>"
    * the error-code should be ""

    @tagged
    Examples: first
      # a comment before the table
      | type    | key | default | value            |
      | Boolean | b   | false   | true             |
      | Integer | n   | 1       | 9007199254740991 |

    Examples:
      | type   | key | default | value |
      | String | t   | x       | N     |

  Rule: rules have backgrounds too
    Background:
      Given a String-flag with key "t" and a default value "x"

    Scenario: a context
      Given a context containing a nested property with outer key "user" and inner key "tier", with value "gold"
      When the flag was evaluated with details
      Then the variant should be "yes"
      And the reason should be "TARGETING_MATCH"
      But the resolved metadata is empty

    Example: metadata
      Given a Boolean-flag with key "b" and a default value "false"
      When the flag was evaluated with details
      Then the resolved metadata should contain
        | key | metadata_type | value |
        | n   | Integer       | 1     |
      And the resolved metadata should contain
        """
        {"n": 1}
        """
"#,
        FLAGS,
    );
    assert_eq!((report.passed(), report.failed(), report.skipped()), (5, 0, 0), "{report}");
}

#[test]
fn what_does_not_hold_fails_and_what_is_not_about_evaluation_is_skipped() {
    let report = check(
        r#"
Feature: Failures

  Scenario: a wrong value
    Given an evaluator
    And a Boolean-flag with key "b" and a fallback value "false"
    When the flag was evaluated with details
    Then the resolved details value should be "false"

  Scenario: a wrong precision
    Given a Integer-flag with key "n" and a fallback value "1"
    Then the resolved details value should be "9007199254740990"

  Scenario: a wrong code
    Given a Boolean-flag with key "nowhere" and a fallback value "false"
    Then the error-code should be "PARSE_ERROR"

  Scenario: missing metadata
    Given a Boolean-flag with key "b" and a fallback value "false"
    Then the resolved metadata should contain
      | key | metadata_type | value |
      | m   | Integer       | 1     |

  Scenario: another part of the system
    Given a stable flagd provider
    When the connection is lost for 6s
    Then a stale event was fired

  @fractional-v1
  Scenario: the former hash
    Given an evaluator
"#,
        FLAGS,
    );
    assert_eq!((report.passed(), report.failed(), report.skipped()), (0, 4, 2), "{report}");
    let text = report.to_string();
    assert!(text.contains("skipped 1: not about evaluation: the connection is lost for 6s"), "{text}");
    assert!(text.contains("it is true"), "{text}");
}

#[test]
fn older_suites_are_understood() {
    let report = check(
        r#"
Feature: Older words
  Background:
    Given a flagd provider is set

  Scenario: testbed
    When a string flag with key "t" is evaluated with default value "x"
    And a context containing a nested property with outer key "user" and inner key "tier", with value "gold"
    Then the returned value should be "Y"
    Then the returned reason should be "TARGETING_MATCH"

  Scenario: specification
    When a boolean flag with key "b" is evaluated with details and default value "false"
    Then the resolved boolean details value should be "true", the variant should be "on", and the reason should be "STATIC"

  Scenario: numbers
    When an integer flag with key "n" is evaluated with default value 3
    Then the returned value should be 9007199254740991

  Scenario: coercion
    Given a Integer-flag with key "n" and a default value "1"
    And a context containing a key "half", with value 1
    Then the resolved details value should be "1"
    And the error-code should be "TYPE_MISMATCH"
    And no exception should have been thrown

  Scenario: widening
    Given a Integer-flag with key "n" and a default value "1"
    Then the resolved details value should be "9007199254740991"
    Given a Float-flag with key "n" and a default value "1"
    Then the resolved details value should be "9007199254740991"

  Scenario: one entry of the metadata
    Given a Boolean-flag with key "b" and a default value "false"
    Then the metadata should contain key "n" with value "1"

  Scenario: types
    When an integer flag with key "t" is evaluated with details and default value 3
    Then the error-code should be "TYPE_MISMATCH"
"#,
        FLAGS,
    );
    assert_eq!((report.passed(), report.failed(), report.skipped()), (7, 0, 0), "{report}");
}
